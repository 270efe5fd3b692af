//! The commented configuration that `init` writes, from the definitions that reading follows.

use super::definitions::{Family, Form, Key, Kind, Preset, SECTIONS};
use super::kinds::{ALERTS, DESTINATIONS, SOURCES};

/// Comments are broken before this column.
const WIDTH: usize = 100;

/// What marks the setting of a key that has no default.
pub(super) const EXAMPLE: &str = "  # an example; unset unless given";

const INTRODUCTION: &str = "The configuration of Tallyhook.

A line like #key = value shows what holds anyway: take the # away to change it. `tallyhook check` says what is wrong.

Secrets, and any other text, can also be { env = \"NAME\" } (an environment variable), { file = \"/path\" } or \
{ credential = \"name\" } (a systemd credential, or the file of that name in the folder credentials beside this file). Paths that are not absolute start at the folder of this file.

Take out the tables of destinations and alerts that you do not use.";

/// The sample: the usual kinds of sources, destinations and alerts, or one of every kind.
pub fn sample(every_kind: bool) -> String {
    let mut text = String::new();
    for paragraph in INTRODUCTION.lines() {
        comment(&mut text, paragraph);
    }
    let (first, rest) = SECTIONS.split_at(4);
    for section in first {
        table(&mut text, section.name, section.doc, None, &[section.keys]);
    }
    for of in [&SOURCES, &DESTINATIONS, &ALERTS] {
        family(&mut text, of, every_kind);
    }
    for section in rest {
        table(&mut text, section.name, section.doc, None, &[section.keys]);
    }
    text
}

/// What a source beside another has to say.
const BESIDE_ANOTHER: &[Key] = &[Key {
    name: "counts_sales",
    form: Form::Flag,
    preset: Preset::Required("false"),
    doc: "Whether its sales count, too: not if they are charged through the same account as another source's.",
}];

fn family(text: &mut String, family: &Family, every_kind: bool) {
    let first = family.kinds.first().map_or("", |kind| kind.sample_name);
    let (shown, others): (Vec<&Kind>, Vec<&Kind>) = family.kinds.iter().partition(|kind| kind.usual || every_kind);
    for kind in shown {
        let name = format!("{}.{}", family.name, kind.sample_name);
        if kind.sample_name == first || family.common.is_empty() {
            table(text, &name, kind.doc, Some(kind.name), &[kind.keys, family.common]);
        } else {
            let beside: &[Key] = if family.name == SOURCES.name { BESIDE_ANOTHER } else { &[] };
            let told = |key: &&Key| !beside.iter().any(|known| known.name == key.name);
            let common: Vec<_> = family.common.iter().filter(told).map(|key| key.name).collect();
            let doc = format!("{} Also takes, as in [{}.{first}]: {}.", kind.doc, family.name, common.join(", "));
            table(text, &name, &doc, Some(kind.name), &[beside, kind.keys]);
        }
    }
    if !others.is_empty() {
        let names: Vec<_> = others.iter().map(|kind| format!("kind = {:?}", kind.name)).collect();
        text.push('\n');
        let names = names.join(" and ");
        comment(
            text,
            &format!("There are [{}.…] of {names}, too: `tallyhook init --all -` shows all keys.", family.name),
        );
    }
}

fn table(text: &mut String, name: &str, doc: &str, kind: Option<&str>, keys: &[&[Key]]) {
    text.push('\n');
    comment(text, doc);
    text.push_str(&format!("[{name}]\n"));
    if let Some(kind) = kind {
        text.push_str(&format!("kind = {kind:?}\n"));
    }
    let keys = || keys.iter().copied().flatten().filter(|key| !matches!(key.form, Form::Refused(_)));
    for key in keys().filter(|key| !matches!(key.form, Form::Table(_))) {
        comment(text, key.doc);
        match key.preset {
            Preset::Required(example) => text.push_str(&format!("{} = {example}\n", key.name)),
            Preset::Default(default) => text.push_str(&format!("#{} = {default}\n", key.name)),
            Preset::Depends(cases) => {
                for (case, default) in cases {
                    text.push_str(&format!("#{} = {default}  # {case}\n", key.name));
                }
            }
            Preset::Unset(example) => text.push_str(&format!("#{} = {example}{EXAMPLE}\n", key.name)),
        }
    }
    // After the plain keys, since a header ends its table.
    for key in keys() {
        if let Form::Table(inner) = key.form {
            table(text, &format!("{name}.{}", key.name), key.doc, None, &[inner]);
        }
    }
}

/// Comment lines, broken between words.
fn comment(text: &mut String, sentence: &str) {
    let mut line = String::from("#");
    for word in sentence.split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        if !word.is_empty() {
            line.push(' ');
            line.push_str(word);
        }
    }
    text.push_str(&line);
    text.push('\n');
}
