//! Checking the answers as the configuration they make, and writing that down: all of it, or nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::answers::Answers;
use crate::cli::service::give_to_service;
use crate::config::{Config, Problem};
/// Its file name while it is checked.
const FILE: &str = "tallyhook.toml";

/// Why nothing was written.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// The answers make no valid configuration.
    Invalid(Vec<Problem>),
    /// It can't be written. A sentence.
    Failed(String),
}

/// Refuses where a configuration is already.
pub(super) fn refuse_existing(file: &Path) -> Result<(), String> {
    match file.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => Err(format!(
            "{0} is there already and is left as it is: change it with an editor, then `tallyhook check` and `systemctl restart \
             tallyhook`; to begin anew, move it away: mv {0} {0}.old",
            file.display()
        )),
        Err(error) => Err(format!("can't see whether {} is there: {error}; run this as root", file.display())),
    }
}

/// Checks the answers with the checks of the configuration, beside the place where it goes, then puts everything in place.
/// The files with secrets.
pub(super) fn write(answers: &Answers, file: &Path) -> Result<Vec<PathBuf>, Unwritten> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    refuse_existing(file).map_err(Unwritten::Failed)?;
    fs::create_dir_all(folder).map_err(|error| failed("make the folder", folder, &error))?;
    let draft = Draft::begin(folder)?;
    let credentials = folder.join("credentials");
    for (name, secret) in answers.credentials() {
        let place = credentials.join(name);
        let is_same = fs::read_to_string(&place).is_ok_and(|known| known.trim_end() == secret.expose());
        if !is_same && place.exists() {
            return Err(Unwritten::Failed(format!(
                "{0} holds another secret already and is left as it is: move it away first (mv {0} {0}.old)",
                place.display()
            )));
        }
        draft.put(&Path::new("credentials").join(name), secret.expose(), 0o600)?;
    }
    draft.put(Path::new(FILE), &answers.configuration(), 0o640)?;
    draft.check(file)?;

    if !credentials.is_dir() {
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&credentials)
            .map_err(|error| failed("make the folder", &credentials, &error))?;
    }
    let mut written = Vec::new();
    for (name, _) in answers.credentials() {
        let place = credentials.join(name);
        fs::rename(draft.0.join("credentials").join(name), &place).map_err(|error| failed("write", &place, &error))?;
        written.push(place);
    }
    let whole = draft.0.join(FILE);
    give_to_service(&whole).map_err(|error| failed("hand over", &whole, &error))?;
    // A link, unlike a rename, never takes the place of a file that came meanwhile.
    fs::hard_link(&whole, file).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Unwritten::Failed(refuse_existing(file).err().unwrap_or_else(|| error.to_string()))
        }
        _ => failed("write", file, &error),
    })?;
    sync(folder);
    sync(&credentials);
    Ok(written)
}

/// Makes names in a folder last. Where that is not possible, they last a moment later.
fn sync(folder: &Path) {
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Unwritten {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; run this as root (sudo tallyhook setup), or name a file of yours with --config"
        }
        _ => "",
    };
    Unwritten::Failed(format!("can't {what} {}: {error}{hint}", path.display()))
}

/// A folder of its own that goes away with everything that was not put in place.
struct Draft(PathBuf);

impl Draft {
    fn begin(folder: &Path) -> Result<Self, Unwritten> {
        let place = folder.join(format!(".setup-{}", std::process::id()));
        let make = |place: &Path| fs::DirBuilder::new().mode(0o700).create(place);
        make(&place).map_err(|error| failed("write in", folder, &error))?;
        let draft = Self(place);
        let credentials = draft.0.join("credentials");
        make(&credentials).map_err(|error| failed("make the folder", &credentials, &error))?;
        Ok(draft)
    }

    fn put(&self, name: &Path, text: &str, mode: u32) -> Result<(), Unwritten> {
        let path = self.0.join(name);
        let put = || {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            // Whatever the umask is.
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.sync_all()
        };
        put().map_err(|error| failed("write", &path, &error))
    }

    /// Reads the draft as a configuration. Complaints name the file that it was to become.
    fn check(&self, file: &Path) -> Result<(), Unwritten> {
        // Credentials that were given to this process are not those of the draft.
        let nothing = BTreeMap::new();
        Config::load(Some(&self.0.join(FILE)), &nothing).map(drop).map_err(|problems| {
            let (draft, whole) = (self.0.display().to_string(), file.display().to_string());
            let name = |mut problem: Problem| {
                problem.file.clone_from(&whole);
                problem.message = problem.message.replace(&draft, "the draft");
                problem
            };
            Unwritten::Invalid(problems.0.into_iter().map(name).collect())
        })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What stays when this fails is closed to others.
        let _ = fs::remove_dir_all(&self.0);
    }
}
