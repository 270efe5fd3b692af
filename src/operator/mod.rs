//! What a person can ask of a running Tallyhook, or of its store file while none runs.
//!
//! A [`Request`] goes to a [`Desk`], which answers with rows. The daemon's admin socket and the command line without a daemon use
//! the same desk. It reads the books through short snapshots and changes them only through the writer. Rows carry ids, never
//! personal data, but for those of `contacts export`.

mod configured;
mod contacts;
mod contacts_export;
mod contacts_forget;
mod deliveries;
mod desk;
mod destinations;
mod events;
mod failed;
mod filter;
mod live;
mod metrics;
mod objects;
mod pages;
mod person;
mod preview;
mod reading;
mod reasons;
mod rehearsal;
mod rejected;
mod replay;
mod request;
mod status;
mod story;
#[cfg(test)]
mod tests;

pub use configured::{Configured, ConfiguredDestination, ConfiguredSource, rules};
pub use desk::Desk;
pub use destinations::test_one as test_destination;
pub use filter::{Filter, parse_moment};
pub use live::Live;
pub use metrics::render as render_metrics;
pub use request::{List, Request, Selection};
