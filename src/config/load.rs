//! Finding the configuration and reading it whole.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::environment::Environment;
use super::problem::{Problem, Problems};
use super::reader::Reader;
use super::{Config, resolve, variables};

/// Where the configuration is when nobody says where.
pub const DEFAULT_FILE: &str = "/etc/tallyhook/tallyhook.toml";

/// No configuration is longer than this many bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// Where a running daemon and its state are found: all that the command line needs, without any secret being there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The configuration's file; none when the environment alone configures.
    pub file: Option<PathBuf>,
    /// The admin socket.
    pub socket: PathBuf,
    /// The store's file.
    pub store: PathBuf,
}

/// Where a configuration comes from.
enum Origin {
    File(PathBuf),
    Environment,
}

impl Config {
    /// Loads the file; without one [`DEFAULT_FILE`] if it is there, else the environment alone (DESIGN 7).
    ///
    /// # Errors
    /// Every mistake at once, or how to begin when there is no configuration at all.
    pub fn load(file: Option<&Path>, environment: &dyn Environment) -> Result<Self, Problems> {
        load(file, Path::new(DEFAULT_FILE), environment)
    }

    /// Reads only where the admin socket and the store are, so that commands work without the daemon's secrets.
    ///
    /// # Errors
    /// When there is no configuration, it can't be parsed, or just these keys are wrong.
    pub fn locate(file: Option<&Path>, environment: &dyn Environment) -> Result<Location, Problems> {
        locate(file, Path::new(DEFAULT_FILE), environment)
    }
}

/// [`Config::load`] with the default file given in.
pub(super) fn load(file: Option<&Path>, default: &Path, environment: &dyn Environment) -> Result<Config, Problems> {
    match origin(file, default, environment)? {
        Origin::File(file) => from_text(&read(&file)?, &file, environment),
        Origin::Environment => from_environment(environment),
    }
}

/// [`Config::locate`] with the default file given in.
pub(super) fn locate(file: Option<&Path>, default: &Path, environment: &dyn Environment) -> Result<Location, Problems> {
    let file = match origin(file, default, environment)? {
        Origin::File(file) => file,
        Origin::Environment => {
            let state = variables::state(environment);
            return Ok(Location { file: None, socket: state.join("admin.sock"), store: state.join("tallyhook.redb") });
        }
    };
    let text = read(&file)?;
    let reader = Reader::new(file.display().to_string(), folder(&file), &text, environment);
    let paths = reader.parse().map(|root| {
        let admin = resolve::read_admin(&resolve::section(&reader, &root, "admin"));
        let store = resolve::read_store(&resolve::section(&reader, &root, "store"));
        (admin.socket, store.path)
    });
    reader.finish()?;
    let (socket, store) = paths.unwrap_or_default();
    Ok(Location { file: Some(file), socket, store })
}

fn origin(file: Option<&Path>, default: &Path, environment: &dyn Environment) -> Result<Origin, Problems> {
    if let Some(file) = file {
        return Ok(Origin::File(file.to_owned()));
    }
    // When it can't even be seen whether it is there, reading it says why.
    if !matches!(default.try_exists(), Ok(false)) {
        return Ok(Origin::File(default.to_owned()));
    }
    if variables::any(environment) {
        return Ok(Origin::Environment);
    }
    Err(Problems(vec![Problem {
        file: default.display().to_string(),
        line: None,
        key: String::new(),
        message: "there is no configuration: neither this file nor any of its environment variables".to_owned(),
        suggestion: Some("`tallyhook init` writes one to begin with, or give another with --config FILE".to_owned()),
    }]))
}

fn read(file: &Path) -> Result<Zeroizing<String>, Problems> {
    let problem = |line, message: String, suggestion: Option<&str>| {
        let suggestion = suggestion.map(str::to_owned);
        Problems(vec![Problem { file: file.display().to_string(), line, key: String::new(), message, suggestion }])
    };
    let mut bytes = Vec::new();
    fs::File::open(file).and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut bytes)).map_err(|error| {
        let is_missing = error.kind() == std::io::ErrorKind::NotFound;
        problem(
            None,
            format!("cannot be read: {error}"),
            is_missing.then_some("`tallyhook init` writes one to begin with"),
        )
    })?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(problem(None, "is longer than 1MiB, which no configuration is".to_owned(), None));
    }
    String::from_utf8(bytes).map(Zeroizing::new).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        problem(Some(line), "is not UTF-8 text".to_owned(), Some("save it as UTF-8"))
    })
}

fn folder(file: &Path) -> PathBuf {
    file.parent().map(Path::to_owned).unwrap_or_default()
}

/// Reads a text as the content of a file.
pub(super) fn from_text(text: &str, file: &Path, environment: &dyn Environment) -> Result<Config, Problems> {
    let reader = Reader::new(file.display().to_string(), folder(file), text, environment);
    let config = run(&reader);
    let (holds_secrets, secret_files, holds_copies) =
        (reader.holds_secrets(), reader.secret_files(), reader.holds_copies());
    let warnings = reader.finish()?;
    // Without a mistake there is a configuration: only syntax errors, which are mistakes, leave none.
    match config {
        Some(config) => {
            Ok(Config { file: Some(file.to_owned()), holds_secrets, secret_files, holds_copies, warnings, ..config })
        }
        None => Err(Problems(Vec::new())),
    }
}

fn from_environment(environment: &dyn Environment) -> Result<Config, Problems> {
    let (text, mut problems) = variables::as_file(environment);
    let reader = Reader::new(variables::NAME.to_owned(), PathBuf::new(), &text, environment);
    let config = run(&reader);
    let mut warnings = variables::warnings(environment);
    match reader.finish() {
        Ok(more) => warnings.extend(more.into_iter().filter_map(variables::translate)),
        Err(Problems(more)) => {
            for problem in more.into_iter().filter_map(variables::translate) {
                // Two keys that come from one variable have one mistake.
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
    match config {
        Some(config) if problems.is_empty() => Ok(Config { warnings, ..config }),
        _ => Err(Problems(problems)),
    }
}

fn run(reader: &Reader<'_>) -> Option<Config> {
    let root = reader.parse()?;
    Some(resolve::config(reader, &root))
}
