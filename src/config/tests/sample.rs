//! The sample that `tallyhook init` writes.

use super::*;

fn every_key() -> Vec<&'static Key> {
    let families = [&SOURCES, &DESTINATIONS, &ALERTS];
    let tables = SECTIONS.iter().map(|section| section.keys);
    let tables = tables.chain(families.iter().flat_map(|family| family.kinds.iter().map(|kind| kind.keys)));
    let tables = tables.chain(families.iter().map(|family| family.common));
    let mut keys: Vec<&Key> = tables.flatten().collect();
    let inner: Vec<&Key> = keys
        .iter()
        .filter_map(|key| if let Form::Table(keys) = key.form { Some(keys) } else { None })
        .flatten()
        .collect();
    keys.extend(inner);
    keys.retain(|key| !matches!(key.form, Form::Refused(_) | Form::Table(_)));
    keys
}

#[test]
fn the_sample_is_a_configuration() {
    let config = read(&sample(true)).unwrap();
    assert_eq!((config.sources.len(), config.destinations.len(), config.alerts.len()), (3, 6, 1));
    assert_eq!(config.warnings, []);
}

#[test]
fn the_usual_sample_asks_for_no_more_than_the_usual_destinations() {
    let usual = sample(false);
    let config = read(&usual).unwrap();
    let kinds: Vec<_> = config.destinations.iter().map(|destination| destination.name.as_str()).collect();
    assert_eq!((config.sources.len(), kinds, config.alerts.len()), (1, vec!["ga4", "crm", "mailerlite"], 1));
    assert!(usual.contains("kind = \"hubspot\"") && usual.contains("tallyhook init --all"));
}

#[test]
fn the_sample_shows_every_key_with_the_default_that_holds() {
    let sample = sample(true);
    for key in every_key() {
        let (default, mark) = match key.preset {
            Preset::Required(example) => (example, ""),
            Preset::Default(text) => (text, "#"),
            Preset::Depends(cases) => (cases[0].1, "#"),
            Preset::Unset(example) => (example, "#"),
        };
        let line = format!("\n{mark}{} = {default}", key.name);
        assert!(sample.contains(&line), "{line}");
        assert!(!key.doc.is_empty(), "{}", key.name);
    }
    // With its defaults switched on it is the same configuration.
    let written: Vec<_> = sample
        .lines()
        .filter(|line| {
            !line.starts_with(&format!("#listen = \"0.0.0.0:443\"  # {}", super::definitions::LISTEN_WITH_TLS))
        })
        .filter(|line| !line.ends_with(super::kinds::mailerlite::CLASSIC_API))
        .filter(|line| !line.ends_with(super::kinds::RESPOND_GIVES_UP))
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') && !line.ends_with(crate::config::sample::EXAMPLE) => setting,
            _ => line,
        })
        .collect();
    let switched_on = read(&written.join("\n")).unwrap();
    let as_it_is = read(&sample).unwrap();
    assert!(written.len() > 100);
    assert_eq!(format!("{switched_on:?}"), format!("{as_it_is:?}"));
}

#[test]
fn every_example_is_of_its_form() {
    let mut variables = everything_set();
    variables.insert("TALLYHOOK_HEALTH_TOKEN".into(), "token".into());
    variables.insert("TALLYHOOK_ACME_HMAC_KEY".into(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX".into());
    let reader = Reader::new("sample".into(), "/".into(), "", &variables);
    for key in every_key() {
        let texts = match key.preset {
            Preset::Depends(cases) => cases.iter().map(|(_, text)| *text).collect(),
            Preset::Required(text) | Preset::Default(text) | Preset::Unset(text) => vec![text],
        };
        for text in texts {
            let item = toml::de::DeValue::parse(text).unwrap();
            let place = Place { key: key.name.into(), line: None };
            assert!(value::read(&reader, &place, &key.form, &item).is_some(), "{} = {text}", key.name);
        }
    }
    assert!(reader.finish().is_ok());
}
