//! Addresses of other machines as they stand in a configuration.

use std::net::IpAddr;

/// How much of an address is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Scheme and authority.
    Endpoint,
    /// Scheme, authority and perhaps a path.
    Base,
    /// With path and query.
    Whole,
    /// Our own address: as `Base`, and plain http is allowed.
    Own,
}

/// Checks an address and takes the slashes off its end (of a whole one it keeps them).
///
/// # Errors
/// What is wrong, as it follows the key; never with any part of the address, which may be a secret.
pub(super) fn check(text: &str, shape: Shape) -> Result<String, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let https = scheme.eq_ignore_ascii_case("https");
    if !https && !scheme.eq_ignore_ascii_case("http") {
        return Err("must be an address that begins with https://".to_owned());
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("must be plain ASCII without spaces; write other letters as %XX, or xn-- in a host".to_owned());
    }
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    if authority.contains('@') {
        return Err("must not contain a user name or password".to_owned());
    }
    let host = host(authority).ok_or("must name a host after ://, and after it nothing but a port")?;
    if !https && shape != Shape::Own && !is_loopback(host) {
        return Err(
            "must begin with https://: plain http is only for this machine (localhost, 127.0.0.1, [::1])".into()
        );
    }
    let path = rest[authority.len()..].trim_end_matches('/');
    match shape {
        Shape::Endpoint if !path.is_empty() => Err("must end after the host (and port), without a path".to_owned()),
        Shape::Base | Shape::Own if path.contains(['?', '#']) => Err("must not contain ? or #".to_owned()),
        Shape::Whole if path.contains('#') => Err("must not contain #".to_owned()),
        Shape::Whole => Ok(text.to_owned()),
        _ => Ok(text.trim_end_matches('/').to_owned()),
    }
}

/// Whether an address that passed [`check`] names, as a number, a private or link-local host, to which nothing connects
/// unless that is allowed.
pub(super) fn is_private(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    // An IPv6 address that only wraps an IPv4 one is judged by what it wraps.
    match host(authority).and_then(number).map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => address.is_private() || address.is_link_local(),
        Some(IpAddr::V6(address)) => address.is_unique_local() || address.is_unicast_link_local(),
        None => false,
    }
}

/// The host of an authority, brackets and all, when it and the port are well-formed.
fn host(authority: &str) -> Option<&str> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at(end);
    let port_is_right = match port.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0),
        None => port.is_empty(),
    };
    let host_is_right = if host.starts_with('[') {
        matches!(number(host), Some(IpAddr::V6(_)))
    } else if host.ends_with(|last: char| last.is_ascii_digit())
        && host.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit())
    {
        number(host).is_some()
    } else {
        host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
    };
    (port_is_right && host_is_right).then_some(host)
}

fn number(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || number(host).is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_addresses_lose_only_their_last_slash() {
        for (text, shape, kept) in [
            ("https://www.google-analytics.com", Shape::Endpoint, "https://www.google-analytics.com"),
            ("https://www.google-analytics.com/", Shape::Endpoint, "https://www.google-analytics.com"),
            ("http://127.0.0.1:9001", Shape::Endpoint, "http://127.0.0.1:9001"),
            ("http://[::1]:9001", Shape::Endpoint, "http://[::1]:9001"),
            ("http://localhost:9001/api/", Shape::Base, "http://localhost:9001/api"),
            ("https://chat.example.com/hook/?key=a/", Shape::Whole, "https://chat.example.com/hook/?key=a/"),
            ("http://hooks.example.com", Shape::Own, "http://hooks.example.com"),
        ] {
            assert_eq!(check(text, shape), Ok(kept.to_owned()), "{text}");
        }
    }

    #[test]
    fn bad_addresses_are_refused_without_being_quoted() {
        for (text, shape) in [
            ("", Shape::Base),
            ("crm.example.com", Shape::Base),
            ("ftp://crm.example.com", Shape::Base),
            ("http://crm.example.com", Shape::Base),
            ("http://10.0.0.1", Shape::Base),
            ("http://127.0.0.1.example.com", Shape::Base),
            ("https://", Shape::Base),
            ("https://user:pw@crm.example.com", Shape::Base),
            ("https://crm.example.com:0", Shape::Base),
            ("https://crm.example.com:+80", Shape::Base),
            ("https://crm.example.com:99999", Shape::Base),
            ("https://1.2.3", Shape::Base),
            ("https://[::1", Shape::Base),
            ("https://crm..example.com", Shape::Base),
            ("https://crm.exämple.com", Shape::Base),
            ("https://crm.example.com/a b", Shape::Base),
            ("https://crm.example.com/a?b=c", Shape::Base),
            ("https://crm.example.com/path", Shape::Endpoint),
            ("https://crm.example.com/a#b", Shape::Whole),
        ] {
            let message = check(text, shape).unwrap_err();
            assert!(!message.contains("crm") && !message.contains("pw"), "{message}");
        }
    }

    #[test]
    fn private_addresses_are_known_by_their_number() {
        for (text, private) in [
            ("https://10.1.2.3/api", true),
            ("https://169.254.169.254", true),
            ("https://[fd00::1]:8443", true),
            ("https://[fe80::1]", true),
            ("https://[::ffff:10.1.2.3]", true),
            ("http://127.0.0.1:1", false),
            ("https://crm.example.com", false),
            ("https://8.8.8.8", false),
        ] {
            assert_eq!(is_private(text), private, "{text}");
        }
    }
}
