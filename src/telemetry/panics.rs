//! Panics in the log: where, never with what, since a panic's text may quote what was being worked on.

use std::panic::{self, PanicHookInfo};

/// From now on a panic anywhere logs one line with its thread and place. The log has to be set up.
pub fn install() {
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let thread = std::thread::current();
        tracing::error!(
            thread = thread.name().unwrap_or("unnamed"),
            place = place(info),
            "a bug in Tallyhook: a panic; please report this place"
        );
    }));
}

fn place(info: &PanicHookInfo<'_>) -> String {
    info.location().map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_logged_with_its_place_and_without_its_text() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        let before = panic::take_hook();
        install();
        tracing::subscriber::with_default(subscriber, || {
            let outcome = panic::catch_unwind(|| panic!("while rendering ann@example.com"));
            assert!(outcome.is_err());
        });
        panic::set_hook(before);
        let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(logged.contains("panics.rs:"), "{logged}");
        assert!(!logged.contains("ann@example.com"), "{logged}");
    }
}
