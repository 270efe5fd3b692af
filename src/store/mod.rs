//! What is kept on disk: one redb file, one thread that writes it, readers on any thread.
//!
//! This folder is the only code that names redb. Everything that changes the books is a [`Command`] to the one writing
//! thread, which plans it with the ledger, applies it, and answers only after the commit is on disk.

mod apply;
pub mod backup;
mod batch;
pub mod body;
mod claimants;
mod command;
mod erase;
mod error;
mod file;
mod numbers;
mod open;
mod people;
mod queue;
mod read;
pub mod record;
mod refused;
mod schema;
mod sweep;
mod tables;
mod tombstones;
mod upgrade;
mod writer;

pub use command::{Command, Reply};
pub use erase::Erase;
pub use error::{StoreError, Unavailable};
pub use file::make_folder;
pub use open::{Opened, Store, StoreSettings};
pub use people::Traces;
pub use read::{AttemptRow, Page, Snapshot, StoreReader};
pub use sweep::{Sweep, SweepLimits};
pub use tombstones::InstallKey;
pub use upgrade::{Step, Upgrade, Upgraded};
pub use writer::{Listener, News, OddWebhook, Writer, WriterSettings};
