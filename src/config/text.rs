//! Where a text comes from: written in the file, or fetched from a variable, a file or a systemd credential.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::problem::Wrong;
use super::reader::{Item, Reader};

/// A text with where it came from, so that complaints can name the place and leave the text out.
pub(super) struct Given {
    /// The text.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a text came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It stands in the configuration.
    Written,
    /// An environment variable.
    Variable(String),
    /// A file.
    File(PathBuf),
    /// A systemd credential.
    Credential(String),
}

impl Origin {
    /// The subject of a complaint, with a space after it; nothing when the key itself is the subject.
    pub fn subject(&self) -> String {
        match self {
            Self::Written => String::new(),
            Self::Variable(name) => format!("the environment variable {name} "),
            Self::File(path) => format!("the content of {} ", path.display()),
            Self::Credential(name) => format!("the credential {name} "),
        }
    }
}

/// The places a text can be fetched from.
const PLACES: [&str; 3] = ["env", "file", "credential"];

/// Beside the configuration: where credentials are looked for by a process that systemd gave none.
const CREDENTIALS_FOLDER: &str = "credentials";
/// What the unit's `LoadCredential=tallyhook:/etc/tallyhook/credentials` puts before the names of the files.
const CREDENTIAL_PREFIX: &str = "tallyhook_";

/// Names the folder into which the unit's `ExecReload=` copies the credentials' files; it is there after a reload only.
const REFRESHED_CREDENTIALS: &str = "REFRESHED_CREDENTIALS_DIRECTORY";

/// Nothing that is a value is longer than this many bytes.
const LONGEST: u64 = 64 << 10;

/// Fetches a text; none when the item is neither a text nor a table that says where one is.
pub(super) fn fetch(reader: &Reader<'_>, item: &Item<'_>) -> Option<Result<Given, Wrong>> {
    let table = match item.get_ref() {
        DeValue::String(text) => return Some(Ok(Given { text: text.to_string(), origin: Origin::Written })),
        DeValue::Table(table) => table,
        _ => return None,
    };
    let mut entries = table.iter();
    let (Some((place, name)), None) = (entries.next(), entries.next()) else {
        return Some(Err(Wrong::new("must name exactly one place")
            .but("write { env = \"NAME\" }, { file = \"…\" } or { credential = \"name\" }")));
    };
    let place = place.get_ref();
    if !PLACES.contains(&place.as_ref()) {
        return Some(Err(
            Wrong::new(format!("{place:?} is not a place for a value")).or_nearest(place, PLACES.into_iter())
        ));
    }
    let Some(name) = name.get_ref().as_str().filter(|name| !name.trim().is_empty() && !name.contains(['\0', '=']))
    else {
        return Some(Err(Wrong::new(format!("what {place} names must be a text in quotes"))));
    };
    Some(match place.as_ref() {
        "env" => variable(reader, name),
        "file" => {
            read_file(reader, reader.path(name)).map(|text| Given { text, origin: Origin::File(reader.path(name)) })
        }
        _ => credential(reader, name),
    })
}

fn read_file(reader: &Reader<'_>, path: PathBuf) -> Result<String, Wrong> {
    let text = file(&path);
    reader.note_file(path);
    text
}

fn variable(reader: &Reader<'_>, name: &str) -> Result<Given, Wrong> {
    reader.note_copy();
    match reader.environment.var(name) {
        Some(text) => Ok(Given { text, origin: Origin::Variable(name.to_owned()) }),
        None => {
            Err(Wrong::new(format!("the environment variable {name} is not set"))
                .but("set it, or take out what needs it"))
        }
    }
}

fn credential(reader: &Reader<'_>, name: &str) -> Result<Given, Wrong> {
    if name.contains('/') || name == "." || name == ".." {
        return Err(
            Wrong::new("a credential has a plain name without slashes").but("for a path write { file = \"…\" }")
        );
    }
    // What systemd gives a process at its start never changes; a reload of the unit puts the files as they are now elsewhere.
    let refreshed = reader.environment.var(REFRESHED_CREDENTIALS).map(PathBuf::from).filter(|folder| folder.is_dir());
    if let Some(fresh) = refreshed.as_ref().map(|folder| folder.join(name)).filter(|fresh| fresh.exists()) {
        return file(&fresh).map(|text| Given { text, origin: Origin::Credential(name.to_owned()) });
    }
    let text = match reader.environment.var("CREDENTIALS_DIRECTORY") {
        Some(folder) => {
            reader.note_copy();
            let folder = Path::new(&folder);
            // A folder that is loaded as a whole has its credentials named after it (`systemd.exec(5)`, LoadCredential).
            let loaded_with_folder = folder.join(format!("{CREDENTIAL_PREFIX}{name}"));
            // Once refreshed, what is left of that folder at the start is out of date.
            let is_current = refreshed.is_none() && loaded_with_folder.exists();
            if is_current { file(&loaded_with_folder) } else { file(&folder.join(name)) }
        }
        None => file(&reader.path(CREDENTIALS_FOLDER).join(name)).map_err(|wrong| {
            wrong.but(format!(
                "put it there, or give it in the unit with LoadCredential={name}:/path and start through systemd"
            ))
        }),
    }?;
    Ok(Given { text, origin: Origin::Credential(name.to_owned()) })
}

/// The content of a file without the line break at its end.
fn file(path: &Path) -> Result<String, Wrong> {
    let cannot = |error: std::io::Error| Wrong::new(format!("the file {} cannot be read: {error}", path.display()));
    let mut text = String::new();
    fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text)).map_err(cannot)?;
    if text.len() as u64 > LONGEST {
        return Err(Wrong::new(format!("the file {} is too long to be a value", path.display())));
    }
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// What no text may be: blank, padded, broken over lines.
pub(super) fn check(text: &str) -> Result<(), Wrong> {
    if text.trim().is_empty() {
        return Err(Wrong::new("is blank"));
    }
    if text.contains(char::is_control) {
        return Err(Wrong::new("contains a line break or another control character"));
    }
    if text.trim() != text {
        return Err(Wrong::new("begins or ends with white space"));
    }
    Ok(())
}

/// What no secret may be besides: something that can't stand in a header, or a placeholder that was never filled in. A key or
/// certificate as PEM stands on several lines.
pub(super) fn check_secret(text: &str) -> Result<(), Wrong> {
    if is_pem(text) {
        return Ok(());
    }
    check(text)?;
    if is_placeholder(text) {
        return Err(Wrong::new("is a placeholder, not a secret"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Wrong::new("contains white space or letters that are not ASCII"));
    }
    Ok(())
}

/// Whether a text has the form of a PEM (RFC 7468).
fn is_pem(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    text.starts_with("-----BEGIN ") && text.trim_end().ends_with("-----") && text.bytes().all(plain)
}

/// Whether a text is what examples write where the value should go.
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let body = ["whsec_", "g-"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(&text);
    body.is_empty()
        || body.contains('…')
        || body.contains("...")
        || (body.starts_with('<') && body.ends_with('>'))
        || (body.len() >= 3 && (body.bytes().all(|byte| byte == b'x') || body.bytes().all(|byte| byte == b'*')))
        || ["your_", "your-", "replace_", "replace-", "insert_"].iter().any(|start| body.starts_with(start))
        || ["changeme", "change_me", "change-me", "replaceme", "todo"].contains(&body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_stands_on_one_line_unless_it_is_a_pem() {
        assert!(check_secret("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").is_ok());
        for wrong in
            ["whsec_a\nb", "-----BEGIN CERTIFICATE-----\nAAAA", "-----BEGIN X-----\n\u{e9}\n-----END X-----", "", " "]
        {
            assert!(check_secret(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn placeholders_are_told_from_secrets() {
        for text in
            ["whsec_…", "whsec_...", "whsec_", "whsec_xxxxxxxx", "<secret>", "changeme", "YOUR_API_KEY", "G-XXXX"]
        {
            assert!(is_placeholder(text), "{text}");
        }
        for text in [
            "whsec_test_secret",
            "secret",
            "key",
            "G-AB12CD34",
            "xo",
            "a<b>c",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
