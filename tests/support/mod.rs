//! The real binary between a signing sender and sandbox destinations, for the tests of promises.

#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

pub mod daemon;
pub mod disk;
pub mod events;
pub mod highlevel;
pub mod http;
pub mod paypal;
pub mod pebble;

use std::time::{Duration, Instant};

/// Long enough for a busy machine; nothing waits that long when things are right.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Waits until something is so.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
