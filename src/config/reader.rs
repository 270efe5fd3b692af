//! Reading the file along its definitions, collecting every mistake on the way.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::definitions::{Form, Key, Preset};
use super::environment::Environment;
use super::problem::{Problem, Problems, Wrong};
use super::value::{self, Value};

/// A value of the file with the bytes it takes up there.
pub(super) type Item<'i> = Spanned<DeValue<'i>>;

/// Where a complaint points.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The dotted path.
    pub key: String,
    /// The line, counted from 1.
    pub line: Option<usize>,
}

/// One run over one file.
pub(super) struct Reader<'r> {
    /// The file as the user named it.
    pub file: String,
    /// The folder where relative paths begin.
    pub folder: PathBuf,
    /// The file's text.
    pub source: &'r str,
    /// Where variables come from.
    pub environment: &'r dyn Environment,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    holds_secrets: Cell<bool>,
    secret_files: RefCell<Vec<PathBuf>>,
    holds_copies: Cell<bool>,
}

impl<'r> Reader<'r> {
    /// At the start, with nothing wrong yet.
    pub fn new(file: String, folder: PathBuf, source: &'r str, environment: &'r dyn Environment) -> Self {
        Self {
            file,
            folder,
            source,
            environment,
            problems: RefCell::default(),
            warnings: RefCell::default(),
            holds_secrets: Cell::default(),
            secret_files: RefCell::default(),
            holds_copies: Cell::default(),
        }
    }

    /// Parses the text; syntax errors are reported, and then there is nothing.
    pub fn parse(&self) -> Option<Spanned<DeTable<'r>>> {
        let (table, errors) = DeTable::parse_recoverable(self.source);
        let mut reported = Vec::new();
        for error in &errors {
            let line = self.line_of(error.span().map_or(self.source.len(), |span| span.start));
            // What follows a mistake on the same line is mostly its echo.
            if !reported.contains(&line) {
                reported.push(line);
                let place = Place { key: String::new(), line };
                self.report(&place, Wrong::new(format!("not valid TOML: {}", self.syntax_error(error))));
            }
        }
        errors.is_empty().then_some(table)
    }

    /// The parser's message as a sentence for people who don't know TOML. It quotes nothing of the file but names of
    /// keys, since the rest may be a secret.
    fn syntax_error(&self, error: &toml::de::Error) -> String {
        let message = error.message();
        let (what, _) = message.split_once(", expected ").unwrap_or((message, ""));
        match what {
            "duplicate key" => {
                let name = error.span().and_then(|span| self.source.get(span)).unwrap_or_default();
                format!("{} is there twice", join("", name.trim_matches(['"', '\''])))
            }
            "string values must be quoted" | "invalid float" | "invalid integer" | "invalid datetime" => {
                "this is no number, and a text must be in quotes".to_owned()
            }
            "invalid basic string" | "invalid literal string" => "a text has no quote at its end".to_owned(),
            "key with no value" => "a key needs = and a value after it".to_owned(),
            "unclosed table" => "the ] after the table's name is missing".to_owned(),
            "missing comma between array elements" => "a comma, or the ] at the end of a list, is missing".to_owned(),
            _ => message.trim_end_matches(", expected nothing").to_owned(),
        }
    }

    /// The line of a byte of the text, counted from 1.
    pub fn line_of(&self, offset: usize) -> Option<usize> {
        let before = self.source.as_bytes().get(..offset.min(self.source.len()))?;
        Some(before.iter().filter(|byte| **byte == b'\n').count() + 1)
    }

    /// A path as the configuration means it.
    pub fn path(&self, text: &str) -> PathBuf {
        self.folder.join(Path::new(text))
    }

    /// Writes down a mistake.
    pub fn report(&self, place: &Place, wrong: Wrong) {
        self.problems.borrow_mut().push(self.problem(place, wrong));
    }

    /// Writes down a remark that keeps nobody from starting.
    pub fn warn(&self, place: &Place, wrong: Wrong) {
        self.warnings.borrow_mut().push(self.problem(place, wrong));
    }

    /// Writes down that a secret itself stands in the file, not the place where it is.
    pub fn note_secret(&self) {
        self.holds_secrets.set(true);
    }

    /// Whether a secret was read that stands in the file itself.
    pub fn holds_secrets(&self) -> bool {
        self.holds_secrets.get()
    }

    /// Writes down that a value is in a file of its own.
    pub fn note_file(&self, path: PathBuf) {
        self.secret_files.borrow_mut().push(path);
    }

    /// The files that values were taken from.
    pub fn secret_files(&self) -> Vec<PathBuf> {
        self.secret_files.borrow().clone()
    }

    /// Writes down that a value came from a variable or a credential.
    pub fn note_copy(&self) {
        self.holds_copies.set(true);
    }

    /// Whether a value came from a variable or a credential.
    pub fn holds_copies(&self) -> bool {
        self.holds_copies.get()
    }

    fn problem(&self, place: &Place, wrong: Wrong) -> Problem {
        Problem {
            file: self.file.clone(),
            line: place.line,
            key: place.key.clone(),
            message: wrong.message,
            suggestion: wrong.suggestion,
        }
    }

    /// The mistakes in order of lines when there are any, else the remarks.
    pub fn finish(self) -> Result<Vec<Problem>, Problems> {
        let mut problems = self.problems.into_inner();
        // Stable, so that what is wrong with one line stays in the order of reading.
        problems.sort_by_key(|problem| problem.line);
        if problems.is_empty() { Ok(self.warnings.into_inner()) } else { Err(Problems(problems)) }
    }
}

/// A dotted path with one more part, quoted where TOML would want it.
pub(super) fn join(path: &str, name: &str) -> String {
    let is_bare =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let name = if is_bare { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

/// One table with its definitions.
pub(super) struct Section<'s> {
    /// The run it belongs to.
    pub reader: &'s Reader<'s>,
    /// Where it stands.
    pub place: Place,
    table: Option<&'s DeTable<'s>>,
    keys: Vec<&'static Key>,
}

impl<'s> Section<'s> {
    /// A table of the file, or none at all; keys without a definition are reported at once.
    pub fn open(
        reader: &'s Reader<'s>,
        place: Place,
        item: Option<&'s Item<'s>>,
        keys: impl Iterator<Item = &'static Key>,
    ) -> Self {
        let table = item.and_then(|item| item.get_ref().as_table());
        if item.is_some() && table.is_none() {
            let name = &place.key;
            reader.report(
                &place,
                Wrong::new("must be a table").but(format!("write [{name}] on a line of its own, its keys below")),
            );
        }
        Self::of(reader, place, table, keys)
    }

    /// The same of a table that is known to be one.
    pub fn of(
        reader: &'s Reader<'s>,
        place: Place,
        table: Option<&'s DeTable<'s>>,
        keys: impl Iterator<Item = &'static Key>,
    ) -> Self {
        let section = Self { reader, place, table, keys: keys.collect() };
        for (name, _) in table.into_iter().flatten() {
            let name = name.get_ref();
            match section.keys.iter().find(|key| key.name == name) {
                None => {
                    let known =
                        section.keys.iter().filter(|key| !matches!(key.form, Form::Refused(_))).map(|key| key.name);
                    reader.report(&section.place_of(name), Wrong::new("unknown key").or_nearest(name, known));
                }
                Some(Key { form: Form::Refused(answer), .. }) => {
                    reader.report(&section.place_of(name), Wrong::new(*answer))
                }
                Some(_) => {}
            }
        }
        section
    }

    /// Where a key stands, or the table that lacks it.
    pub fn place_of(&self, name: &str) -> Place {
        let line = self
            .table
            .and_then(|table| table.get_key_value(name))
            .and_then(|(key, _)| self.reader.line_of(key.span().start))
            .or(self.place.line);
        Place { key: join(&self.place.key, name), line }
    }

    /// Whether the file gives a key.
    pub fn gives(&self, name: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(name))
    }

    /// Whether `allow_private_addresses = true` stands here, whatever else may be wrong with it.
    pub fn allows_private_addresses(&self) -> bool {
        self.table
            .and_then(|table| table.get("allow_private_addresses"))
            .and_then(|item| item.get_ref().as_bool())
            .unwrap_or(false)
    }

    /// Whether a flag stands here as false.
    pub fn denies(&self, name: &str) -> bool {
        self.table.and_then(|table| table.get(name)).and_then(|item| item.get_ref().as_bool()) == Some(false)
    }

    /// Writes down a mistake about a key.
    pub fn report(&self, name: &str, wrong: Wrong) {
        self.reader.report(&self.place_of(name), wrong);
    }

    /// The value of a key, its default, or after a mistake (which then is written down) any value at all, since the
    /// configuration is refused in the end.
    pub fn get<T: FromValue + Default>(&self, name: &str) -> T {
        self.find(name).unwrap_or_default()
    }

    /// The value of a key or its default; none when it has neither, or after a mistake.
    pub fn find<T: FromValue>(&self, name: &str) -> Option<T> {
        self.find_in_case(name, "")
    }

    /// The same for a key whose default depends on the case.
    pub fn find_in_case<T: FromValue>(&self, name: &str, case: &str) -> Option<T> {
        let place = self.place_of(name);
        let Some(key) = self.keys.iter().find(|key| key.name == name) else {
            self.reader.report(&place, Wrong::new("has no definition; this is a fault of the program"));
            return None;
        };
        let value = match self.table.and_then(|table| table.get(name)) {
            Some(item) => value::read(self.reader, &place, &key.form, item)?,
            None => {
                let text = match key.preset {
                    Preset::Default(text) => text,
                    Preset::Depends(cases) => cases.iter().find(|(known, _)| *known == case)?.1,
                    Preset::Unset(_) => return None,
                    Preset::Required(example) => {
                        let why = if matches!(key.form, Form::Secrets(_)) {
                            ": a source without a secret does not start"
                        } else {
                            ""
                        };
                        let wrong = Wrong::new(format!("is missing{why}"));
                        self.reader.report(&place, wrong.but(format!("add {name} = {example}")));
                        return None;
                    }
                };
                let item = DeValue::parse(text).ok()?;
                value::read(self.reader, &place, &key.form, &item)?
            }
        };
        let value = T::from_value(value);
        if value.is_none() {
            self.reader
                .report(&place, Wrong::new("is read in another form than defined; this is a fault of the program"));
        }
        value
    }

    /// A table within this one.
    pub fn table(&self, name: &str) -> Section<'s> {
        let keys: &'static [Key] = match self.keys.iter().find(|key| key.name == name) {
            Some(Key { form: Form::Table(keys), .. }) => keys,
            _ => &[],
        };
        Section::open(self.reader, self.place_of(name), self.table.and_then(|table| table.get(name)), keys.iter())
    }
}

/// Types that a value can be taken as.
pub(super) trait FromValue: Sized {
    /// The value as this type; none when its form is another.
    fn from_value(value: Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($form:ident => $type:ty),* $(,)?) => {
        $(impl FromValue for $type {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::$form(inner) => inner.try_into().ok(),
                    _ => None,
                }
            }
        })*
    };
}

from_value! {
    Flag => bool,
    Number => u64,
    Number => usize,
    Span => std::time::Duration,
    Rate => Option<crate::model::rate::RateLimit>,
    Text => String,
    Listen => std::net::SocketAddr,
    Path => PathBuf,
    Secret => crate::model::secret::Secret,
    EventNames => Vec<(crate::model::business_event::EventKind, String)>,
    Cases => Vec<crate::destinations::filter::Case>,
    Fields => Vec<(String, Option<&'static crate::destinations::fields::Field>)>,
    Pairs => Vec<(String, String)>,
}

/// A list whose elements are all of one type.
#[derive(Debug)]
pub(super) struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: FromValue> FromValue for List<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::List(values) => values.into_iter().map(T::from_value).collect::<Option<_>>().map(Self),
            _ => None,
        }
    }
}
