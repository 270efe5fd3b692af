//! Which addresses may be connected to: the rule that keeps a configured URL from reaching into the private network.
//!
//! The ranges are those of IANA's special-purpose address registries (RFC 6890 and its updates). An IPv6 address that only
//! wraps an IPv4 one is judged by what it wraps.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Reachable from everywhere.
    Public,
    /// This machine.
    Loopback,
    /// A private network (RFC 1918), a unique local (RFC 4193) or a site-local address.
    Private,
    /// The local link (RFC 3927, RFC 4291); clouds keep their credentials service there.
    LinkLocal,
    /// Between a carrier and its customers (RFC 6598).
    Shared,
    /// For examples in texts (RFC 5737, RFC 3849, RFC 9637).
    Documentation,
    /// For benchmarks (RFC 2544).
    Benchmark,
    /// Set aside for protocols, tunnels or the future.
    Reserved,
    /// "This host on this network": no address to connect to, though Linux takes it for itself.
    Unspecified,
    /// Many receivers.
    Multicast,
    /// Everybody on the link.
    Broadcast,
}

impl Range {
    /// What it is, as it stands after "which is".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "a public address",
            Self::Loopback => "this machine itself",
            Self::Private => "in a private network",
            Self::LinkLocal => "a link-local address",
            Self::Shared => "in a carrier's shared range",
            Self::Documentation => "in a range for documentation",
            Self::Benchmark => "in a range for benchmarks",
            Self::Reserved => "in a reserved range",
            Self::Unspecified => "not an address to connect to",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "a broadcast address",
        }
    }

    /// Whether nothing can make it a destination.
    const fn is_hopeless(self) -> bool {
        matches!(self, Self::Unspecified | Self::Multicast | Self::Broadcast)
    }
}

/// The range that an address lies in.
pub fn range(address: IpAddr) -> Range {
    match address {
        IpAddr::V4(address) => range_v4(address),
        IpAddr::V6(address) => range_v6(address),
    }
}

fn range_v4(address: Ipv4Addr) -> Range {
    match address.octets() {
        [0, ..] => Range::Unspecified,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Range::Private,
        [100, 64..=127, ..] => Range::Shared,
        [127, ..] => Range::Loopback,
        [169, 254, ..] => Range::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Range::Documentation,
        [192, 0, 0, _] | [192, 88, 99, _] => Range::Reserved,
        [198, 18..=19, ..] => Range::Benchmark,
        [224..=239, ..] => Range::Multicast,
        [255, 255, 255, 255] => Range::Broadcast,
        [240..=255, ..] => Range::Reserved,
        _ => Range::Public,
    }
}

fn range_v6(address: Ipv6Addr) -> Range {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let wrapped = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        range_v4(Ipv4Addr::new(a, b, c, d))
    };
    match [a, b, c, d, e, f, g, h] {
        [0, 0, 0, 0, 0, 0, 0, 0] => Range::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Range::Loopback,
        [0, 0, 0, 0, 0, 0xffff, ..] => wrapped(g, h),    // IPv4-mapped
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => wrapped(g, h), // NAT64
        [0x64, 0xff9b, 1, ..] => Range::Private,         // NAT64, local use
        [0x2002, ..] => wrapped(b, c),                   // 6to4
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Range::Documentation,
        [0x2001, 0..=0x1ff, ..] => Range::Reserved, // protocol assignments, Teredo among them
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Range::Private,
        [0xfe80..=0xfebf, ..] => Range::LinkLocal,
        [0xff00..=0xffff, ..] => Range::Multicast,
        [0x2000..=0x3fff, ..] => Range::Public,
        _ => Range::Reserved, // nothing else is handed out
    }
}

/// Why an address is not connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Neither `http` nor `https`.
    #[error("{0}:// is not a scheme that can be sent to; use https")]
    Scheme(String),
    /// Unencrypted to another machine.
    #[error("http://{0} would be unencrypted: plain http only goes to localhost, 127.0.0.1 or [::1]; use https")]
    Plain(String),
    /// A range that has to be allowed first.
    #[error(
        "{host} is at {address}, which is {}: if that is meant, set allow_private_addresses = true where it is configured",
        range.name()
    )]
    Range {
        /// The host as written.
        host: String,
        /// Where it is.
        address: IpAddr,
        /// What that is.
        range: Range,
    },
    /// An address that nothing can be sent to.
    #[error("{host} is at {address}, which is {}; correct the address", range.name())]
    Hopeless {
        /// The host as written.
        host: String,
        /// Where it is.
        address: IpAddr,
        /// What that is.
        range: Range,
    },
}

/// The scheme and host of an outgoing URL, with what they permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: String,
    plain: bool,
    names_loopback: bool,
    literal: Option<IpAddr>,
}

impl Target {
    /// From the scheme and the host as they stand in the URL; the brackets of an IPv6 address are taken off.
    ///
    /// # Errors
    /// When the scheme is unknown, or is `http` and the host is not literally this machine.
    pub fn new(scheme: &str, host: &str) -> Result<Self, Forbidden> {
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let literal = host.parse::<IpAddr>().ok();
        let names_loopback =
            literal.map_or_else(|| host.eq_ignore_ascii_case("localhost"), |address| range(address) == Range::Loopback);
        let plain = match scheme.to_ascii_lowercase().as_str() {
            "https" => false,
            "http" if names_loopback => true,
            "http" => return Err(Forbidden::Plain(host.to_owned())),
            other => return Err(Forbidden::Scheme(other.to_owned())),
        };
        Ok(Self { host: host.to_owned(), plain, names_loopback, literal })
    }

    /// The host without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address, when the URL holds one instead of a name.
    pub const fn literal(&self) -> Option<IpAddr> {
        self.literal
    }

    /// Whether one of the host's addresses may be connected to.
    ///
    /// # Errors
    /// When it may not, with what to do about it.
    pub fn permit(&self, address: IpAddr, allow_private: bool) -> Result<(), Forbidden> {
        let range = range(address);
        if range.is_hopeless() {
            return Err(Forbidden::Hopeless { host: self.host.clone(), address, range });
        }
        // A name server that says localhost is elsewhere doesn't make plain http leave the machine.
        if self.plain && range != Range::Loopback {
            return Err(Forbidden::Plain(self.host.clone()));
        }
        match range {
            Range::Public => Ok(()),
            Range::Loopback if self.names_loopback => Ok(()),
            _ if allow_private => Ok(()),
            _ => Err(Forbidden::Range { host: self.host.clone(), address, range }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_special_range_is_known_at_both_its_ends() {
        let table = [
            (Range::Unspecified, "0.0.0.0 0.255.255.255 ::"),
            (Range::Private, "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255"),
            (Range::Private, "fc00:: fdff:ffff::1 fec0::1 feff::1 64:ff9b:1::1"),
            (Range::Shared, "100.64.0.0 100.127.255.255"),
            (Range::Loopback, "127.0.0.0 127.0.0.1 127.255.255.255 ::1"),
            (Range::LinkLocal, "169.254.0.0 169.254.169.254 169.254.255.255 fe80:: febf::1"),
            (Range::Documentation, "192.0.2.1 198.51.100.1 203.0.113.255 2001:db8::1 3fff::1 3fff:fff::1"),
            (Range::Benchmark, "198.18.0.0 198.19.255.255"),
            (Range::Reserved, "192.0.0.1 192.88.99.1 240.0.0.0 255.255.255.254 2001::1 2001:1ff::1 100::1 ::2 4000::1"),
            (Range::Multicast, "224.0.0.0 239.255.255.255 ff00:: ff02::1"),
            (Range::Broadcast, "255.255.255.255"),
            (Range::Public, "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0"),
            (Range::Public, "169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0"),
            (Range::Public, "198.17.255.255 198.20.0.0 223.255.255.255 2001:200::1 2606:4700::1111 3ffe::1"),
        ];
        for (expected, addresses) in table {
            for address in addresses.split(' ') {
                assert_eq!(range(at(address)), expected, "{address}");
            }
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_judged_by_what_it_is() {
        for (address, expected) in [
            ("::ffff:127.0.0.1", Range::Loopback),
            ("::ffff:10.0.0.1", Range::Private),
            ("::ffff:169.254.169.254", Range::LinkLocal),
            ("::ffff:0.0.0.0", Range::Unspecified),
            ("::ffff:8.8.8.8", Range::Public),
            ("64:ff9b::192.168.0.1", Range::Private),
            ("64:ff9b::8.8.8.8", Range::Public),
            ("2002:7f00:1::", Range::Loopback),
            ("2002:0808:0808::1", Range::Public),
        ] {
            assert_eq!(range(at(address)), expected, "{address}");
        }
    }

    #[test]
    fn plain_http_goes_only_to_what_is_literally_this_machine() {
        for host in ["127.0.0.1", "127.3.2.1", "[::1]", "localhost", "LocalHost"] {
            assert!(Target::new("http", host).is_ok(), "{host}");
        }
        for host in ["example.com", "10.0.0.1", "localhost.example.com", "[::ffff:8.8.8.8]", "0.0.0.0"] {
            assert!(matches!(Target::new("http", host), Err(Forbidden::Plain(_))), "{host}");
        }
        assert!(matches!(Target::new("ftp", "example.com"), Err(Forbidden::Scheme(_))));
        let localhost = Target::new("http", "localhost").unwrap();
        assert!(localhost.permit(at("127.0.0.1"), false).is_ok());
        assert!(matches!(localhost.permit(at("8.8.8.8"), true), Err(Forbidden::Plain(_))), "even when allowed");
    }

    #[test]
    fn a_name_may_not_lead_into_the_private_network_unless_that_is_allowed() {
        let crm = Target::new("https", "crm.example.com").unwrap();
        assert!(crm.permit(at("93.184.215.14"), false).is_ok());
        for address in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "::1", "fd00::1", "::ffff:10.0.0.1"] {
            let refusal = crm.permit(at(address), false).unwrap_err();
            assert!(refusal.to_string().contains("allow_private_addresses"), "{refusal}");
            assert!(crm.permit(at(address), true).is_ok(), "{address}");
        }
        for address in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"] {
            assert!(matches!(crm.permit(at(address), true), Err(Forbidden::Hopeless { .. })), "{address}");
        }
    }

    #[test]
    fn loopback_needs_no_permission_where_the_url_names_it() {
        for (host, address) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("localhost", "127.0.0.1")] {
            assert!(Target::new("https", host).unwrap().permit(at(address), false).is_ok(), "{host}");
        }
    }
}
