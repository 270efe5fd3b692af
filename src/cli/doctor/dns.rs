//! Do the public names lead to this machine?

use std::net::IpAddr;

use super::finding::Finding;
use crate::config::{Config, Tls};
use crate::platform::network::{Network, is_private};

/// A finding for each public name.
pub(super) fn look(config: &Config, network: &dyn Network) -> Vec<Finding> {
    let names = public_names(config);
    if names.is_empty() {
        return vec![Finding::warning(
            "dns",
            "the configuration does not say under which name the world reaches this server",
            "add public_url = \"https://hooks.example.com\", with your name, to [server]",
        )];
    }
    let is_behind_proxy = config.server.tls == Tls::Off;
    names.iter().map(|name| judge(name, is_behind_proxy, network)).collect()
}

/// Of `public_url`, and those a certificate is fetched for.
pub(super) fn public_names(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = config.server.public_url.as_deref().and_then(host).into_iter().collect();
    if let Tls::Acme(acme) = &config.server.tls {
        names.extend(acme.domains.iter().filter(|domain| !names.contains(domain)).cloned().collect::<Vec<_>>());
    }
    names
}

/// The host of an address, brackets off, in lower case.
fn host(url: &str) -> Option<String> {
    let authority = url.split_once("://")?.1.split('/').next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    Some(host.to_ascii_lowercase())
}

fn judge(name: &str, is_behind_proxy: bool, network: &dyn Network) -> Finding {
    let addresses = match network.addresses(name) {
        Ok(addresses) if !addresses.is_empty() => addresses,
        result => {
            let why = result.err().map_or_else(|| "it has no address".to_owned(), |error| error.to_string());
            return Finding::error(
                "dns",
                format!("{name} leads nowhere: {why}"),
                format!(
                    "make an A record (and AAAA, for IPv6) of {name} at your DNS provider that points to this server"
                ),
            );
        }
    };
    let listed = |addresses: &[IpAddr]| addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    let shown = listed(&addresses);
    let is_loopback = addresses.iter().all(IpAddr::is_loopback);
    if is_loopback && (name == "localhost" || name.parse::<IpAddr>().is_ok()) {
        return Finding::ok(
            "dns",
            format!("{name} is this machine itself, which nobody outside reaches: right for a trial"),
        );
    }
    if is_loopback {
        return Finding::warning(
            "dns",
            format!("{name} is {shown} on this machine, so that it can't be told where others find it"),
            format!("look at /etc/hosts, and ask elsewhere with `dig {name}`"),
        );
    }
    let strangers: Vec<IpAddr> = addresses.iter().copied().filter(|address| !network.is_ours(*address)).collect();
    if strangers.is_empty() {
        return Finding::ok("dns", format!("{name} leads to this machine ({shown})"));
    }
    if is_behind_proxy {
        return Finding::ok("dns", format!("{name} leads to {shown}, which has to be the proxy in front"));
    }
    let outgoing = network.outgoing();
    let public: Vec<IpAddr> = outgoing.iter().copied().filter(|address| !is_private(*address)).collect();
    // Whether a family of addresses is translated on the way can be told only of a family that this machine has.
    let is_told = |address: &IpAddr| public.iter().any(|own| own.is_ipv4() == address.is_ipv4());
    if strangers.iter().any(is_told) {
        return Finding::error(
            "dns",
            format!("{name} leads to {}, which is not this machine ({})", listed(&strangers), listed(&public)),
            format!("point the A and AAAA records of {name} to this server, and take out those of others"),
        );
    }
    let own = if outgoing.is_empty() { "none that leads outside".to_owned() } else { listed(&outgoing) };
    Finding::warning(
        "dns",
        format!(
            "{name} leads to {}; whether that is this machine can't be told from here (its addresses: {own})",
            listed(&strangers)
        ),
        "compare it with the public address that your provider shows for this server",
    )
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::super::finding::Level;
    use super::*;

    /// A machine with addresses of its own, and one name.
    struct Fake {
        resolved: Vec<&'static str>,
        own: Vec<&'static str>,
    }

    fn read(addresses: &[&str]) -> Vec<IpAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    impl Network for Fake {
        fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            match self.resolved.is_empty() {
                true => Err(io::Error::other("Name or service not known")),
                false => Ok(read(&self.resolved)),
            }
        }

        fn is_ours(&self, address: IpAddr) -> bool {
            address.is_loopback() || read(&self.own).contains(&address)
        }

        fn outgoing(&self) -> Vec<IpAddr> {
            read(&self.own)
        }

        fn connect(&self, _: SocketAddr, _: Duration) -> io::Result<()> {
            Ok(())
        }
    }

    fn level(name: &str, resolved: &[&'static str], own: &[&'static str], is_behind_proxy: bool) -> Level {
        judge(name, is_behind_proxy, &Fake { resolved: resolved.to_vec(), own: own.to_vec() }).level
    }

    #[test]
    fn a_name_that_leads_here_is_right_and_one_that_leads_elsewhere_wrong() {
        let name = "hooks.example.com";
        assert_eq!(level(name, &["93.184.215.14"], &["93.184.215.14"], false), Level::Ok);
        assert_eq!(level(name, &["93.184.215.99"], &["93.184.215.14"], false), Level::Error);
        assert_eq!(level(name, &["93.184.215.14", "93.184.215.99"], &["93.184.215.14"], false), Level::Error);
        assert_eq!(level(name, &[], &["93.184.215.14"], false), Level::Error);
        assert_eq!(level(name, &["104.16.0.1"], &["93.184.215.14"], true), Level::Ok, "a proxy's");
    }

    #[test]
    fn behind_nat_nothing_can_be_told() {
        assert_eq!(level("hooks.example.com", &["93.184.215.14"], &["10.0.0.7"], false), Level::Warning);
        assert_eq!(level("hooks.example.com", &["93.184.215.14"], &[], false), Level::Warning);
        assert_eq!(level("hooks.example.com", &["2606:4700::1"], &["93.184.215.14"], false), Level::Warning);
    }

    #[test]
    fn loopback_is_right_for_a_trial_only() {
        assert_eq!(level("localhost", &["127.0.0.1", "::1"], &[], false), Level::Ok);
        assert_eq!(level("hooks.example.com", &["127.0.1.1"], &[], false), Level::Warning);
    }

    #[test]
    fn the_host_is_read_out_of_any_address() {
        for (url, wanted) in [
            ("https://Hooks.Example.com/", "hooks.example.com"),
            ("https://hooks.example.com:8443/base", "hooks.example.com"),
            ("http://[::1]:8080", "::1"),
        ] {
            assert_eq!(host(url).as_deref(), Some(wanted));
        }
    }
}
