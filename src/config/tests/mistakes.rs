//! Bad files, each with its exact words, and files that nobody would write.

use super::*;

#[test]
fn each_mistake_has_its_exact_words() {
    let cases: Vec<_> = include_str!("mistakes.txt").split("=== a file\n").skip(1).collect();
    assert!(cases.len() > 45);
    for case in cases {
        let (text, wanted) = case.split_once("--- says\n").unwrap();
        assert_eq!(complaints(text), wanted.trim_end(), "for\n{text}");
    }
}

/// Pieces of a configuration in an order that makes little sense, which goes deeper than letters by chance.
fn scrambled() -> impl Strategy<Value = String> {
    let pieces: Vec<String> = sample(true).split_inclusive(['\n', ' ', '.']).map(str::to_owned).collect();
    let odd = [
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'''",
        "=",
        ",",
        "\n",
        "\u{feff}",
        "\0",
        "é",
        "…",
        "9999999999999999999999",
        "-1",
        "1e9",
        "true",
    ];
    let piece = prop_oneof![
        4 => proptest::sample::select(pieces),
        1 => proptest::sample::select(odd.map(str::to_owned).to_vec()),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in prop_oneof!["\\PC*", any::<String>(), scrambled()]) {
        if let Err(problems) = read(&text) {
            prop_assert!(!problems.0.is_empty());
            let lines = text.lines().count().max(1) + 1;
            prop_assert!(problems.0.iter().all(|problem| problem.line.is_none_or(|line| line <= lines)));
            prop_assert!(!problems.to_string().contains("fault of the program"));
        }
    }

    #[test]
    fn no_value_makes_it_panic(value in any::<String>(), name in proptest::sample::select(vec![
        "server.listen", "server.max_body", "server.body_timeout", "server.public_url", "log.level", "store.path",
        "destinations.x.endpoint", "destinations.x.rate_limit", "destinations.x.measurement_id", "alerts.x.url",
    ])) {
        let kind = if name.starts_with("alerts") { "alerts.x.kind = \"webhook\"" } else { "destinations.x.kind = \"ga4\"" };
        let _ = read(&format!("{kind}\n{name} = {}", toml::Value::String(value)));
    }
}
