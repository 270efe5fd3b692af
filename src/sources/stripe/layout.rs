//! The same JSON with other white space: as Stripe sends it, and as others write it again on the way.
//!
//! Works on the text, so that order, numbers and escapes stay exactly as they are.

/// Deeper nesting than any event has; indenting it would only waste memory.
const MAX_DEPTH: usize = 128;

/// All white space outside strings taken out.
pub(super) fn compact(json: &[u8]) -> Vec<u8> {
    let mut compact = Vec::with_capacity(json.len());
    for (byte, in_string) in bytes(json) {
        if in_string || !byte.is_ascii_whitespace() {
            compact.push(byte);
        }
    }
    compact
}

/// One field a line, indented by two spaces a level, empty lists and objects closed at once: the form of Stripe's events. None when
/// it would be longer than `limit` bytes or nests too deep.
pub(super) fn pretty(json: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut pretty = Vec::with_capacity(json.len().saturating_mul(2).min(limit));
    let mut depth = 0_usize;
    let mut opened = false;
    for (byte, in_string) in bytes(json) {
        if !in_string && byte.is_ascii_whitespace() {
            continue;
        }
        let closes = !in_string && matches!(byte, b'}' | b']');
        if closes {
            depth = depth.saturating_sub(1);
        }
        if opened != closes {
            new_line(&mut pretty, depth);
        }
        opened = !in_string && matches!(byte, b'{' | b'[');
        pretty.push(byte);
        match byte {
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b',' => new_line(&mut pretty, depth),
            b':' => pretty.push(b' '),
            _ => {}
        }
        if depth > MAX_DEPTH || pretty.len() > limit {
            return None;
        }
    }
    Some(pretty)
}

fn new_line(text: &mut Vec<u8>, depth: usize) {
    text.push(b'\n');
    text.resize(text.len() + 2 * depth, b' ');
}

/// Every byte, and whether it is part of a string (its quotation marks included).
fn bytes(json: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    let mut in_string = false;
    let mut escaped = false;
    json.iter().map(move |&byte| {
        let was_in_string = in_string;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
        (byte, was_in_string || in_string)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMPACT: &str = r#"{"a":[1,2.50,{"b":" {\" ,:[ "}],"c":{},"d":[],"e":null}"#;
    const PRETTY: &str = "{\n  \"a\": [\n    1,\n    2.50,\n    {\n      \"b\": \" {\\\" ,:[ \"\n    }\n  ],\n  \"c\": {},\n  \"d\": [],\n  \"e\": null\n}";

    #[test]
    fn white_space_changes_and_nothing_else() {
        for text in [COMPACT, PRETTY] {
            assert_eq!(String::from_utf8(compact(text.as_bytes())).unwrap(), COMPACT);
            assert_eq!(String::from_utf8(pretty(text.as_bytes(), 1000).unwrap()).unwrap(), PRETTY);
        }
    }

    #[test]
    fn what_would_grow_beyond_measure_is_left() {
        assert_eq!(pretty(&b"[".repeat(60_000), usize::MAX), None);
        assert_eq!(pretty(COMPACT.as_bytes(), 20), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (compact(&bytes), pretty(&bytes, 10_000));
        }
    }
}
