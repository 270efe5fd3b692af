//! Logs: one line an event on standard error, as text or JSON.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config;

/// Logs can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The configured level can't be read.
    #[error("log level {level:?} can't be read: {reason}; write for example \"info\" or \"info,tallyhook=debug\"")]
    Level {
        /// As configured.
        level: String,
        /// What is wrong with it.
        reason: String,
    },
    /// They are set up already.
    #[error("logs are set up already")]
    Again,
}

/// Reads a level, `info` or `warn,tallyhook=debug`. The environment has no say.
///
/// # Errors
/// When it can't be read.
pub fn parse_level(level: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(level)
        .map_err(|error| LogError::Level { level: level.to_owned(), reason: error.to_string() })
}

/// Starts logging to standard error, for the whole process and once only. Colours only on a terminal.
///
/// # Errors
/// When the level can't be read, or logging has started before.
pub fn init(log: &config::Log) -> Result<(), LogError> {
    let common = tracing_subscriber::fmt()
        .with_env_filter(parse_level(&log.level)?)
        .with_writer(io::stderr)
        .log_internal_errors(false); // it would report a closed standard error to standard error, and panic
    let started = if log.json {
        common.json().flatten_event(true).with_current_span(false).with_span_list(false).finish().try_init()
    } else {
        common.with_ansi(io::stderr().is_terminal()).finish().try_init()
    };
    started.map_err(|_| LogError::Again)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_or_refused_with_an_example() {
        for level in ["info", "off", "warn,tallyhook=debug", "tallyhook::delivery=trace"] {
            assert!(parse_level(level).is_ok(), "{level}");
        }
        let error = parse_level("tallyhook=loud").unwrap_err();
        assert!(error.to_string().contains("tallyhook=debug"), "{error}");
    }
}
