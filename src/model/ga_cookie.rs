//! What Google Analytics keeps in a browser: the cookies `_ga` and `_ga_<stream>`.

/// The client id in a text, none when it is none: `1234567890.1747132561`, or the whole `_ga` cookie that holds one
/// (`GA1.1.1234567890.1747132561`). An e-mail address, a `cus_…` or `deleted` is none.
pub fn client_id(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.trim().split('.').collect();
    let pair = match parts.as_slice() {
        [random, time] => [*random, *time],
        [version, depth, random, time] if is_cookie_version(version) && is_cookie_depth(depth) => [*random, *time],
        _ => return None,
    };
    let positive = |part: &str| {
        (1..=20).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.bytes().any(|byte| byte != b'0')
    };
    pair.iter().all(|part| positive(part)).then(|| pair.join("."))
}

fn is_cookie_version(text: &str) -> bool {
    text.strip_prefix("GA").is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Depth of the domain, with the depth of the path behind a hyphen: `1`, `2-2`.
fn is_cookie_depth(text: &str) -> bool {
    !text.is_empty()
        && text.split('-').all(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The session id in a text, none when it is none: the plain number (the Unix second in which the session began), or a whole
/// `_ga_<stream>` cookie of either form:
///
/// - `GS1.1.1747132561.3.1.1747132999.60.0.0`: the third part;
/// - `GS2.1.s1747132561$o1$g0$t1747132655$j0$l0$h0`: the field whose first letter is `s`, in whatever order; `$` may be
///   written `%24`.
pub fn session_id(text: &str) -> Option<String> {
    let text = text.trim().replace("%24", "$");
    if let Some(id) = number(&text) {
        return Some(id);
    }
    let mut parts = text.splitn(3, '.');
    let (version, _depth, rest) = (parts.next()?, parts.next()?, parts.next()?);
    match version {
        "GS1" => rest.split('.').next().and_then(number),
        "GS2" => rest.split('$').find_map(|field| field.strip_prefix('s')).and_then(number),
        _ => None,
    }
}

fn number(text: &str) -> Option<String> {
    let is = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    (is && text.bytes().any(|byte| byte != b'0')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_read_from_both_forms_of_the_cookie() {
        let id = Some("1747132561");
        for (text, expected) in [
            ("1747132561", id),
            ("GS1.1.1747132561.3.1.1747132999.60.0.0", id),
            ("GS1.2-2.1747132561", id),
            ("GS2.1.s1747132561$o1$g0$t1747132655$j0$l0$h0", id),
            ("GS2.1.s1747132561%24o1%24g0%24t1747132655%24j0%24l0%24h0", id),
            ("GS2.1.o1$g0$t1747132655$s1747132561$j0", id),
            ("GS2.1.z9$s1747132561$d4", id),
            ("GS2.1.o1$g0", None),
            ("GS2.1.sabc", None),
            ("GS3.1.s1747132561", None),
            ("GA1.1.1234567890.1747132561", None),
            ("deleted", None),
            ("0", None),
            ("", None),
            ("GS1.1.", None),
            ("1747132561747132561", None),
        ] {
            assert_eq!(session_id(text).as_deref(), expected, "{text}");
        }
    }
}
