//! The process environment: the only place that reads it.

/// Where environment variables come from, given in so that tests bring their own.
pub trait Environment {
    /// The value of a variable; none when it is not set.
    fn var(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    #[allow(clippy::disallowed_methods)] // this is the one place
    fn var(&self, name: &str) -> Option<String> {
        // What is not UTF-8 is kept with replacement characters: every check that matters then refuses it, by name.
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }
}

impl Environment for std::collections::BTreeMap<String, String> {
    fn var(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }
}
