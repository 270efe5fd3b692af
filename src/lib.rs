//! Tallyhook receives webhooks, counts every sale once, and tells GA4, a CRM and MailerLite for certain.
//!
//! This is the map of the house. What it promises and how it is used stands in `README.md`.
//!
//! # The way of an event
//!
//! ```text
//! sender ──TLS──▶ http ──▶ sources ──▶ ledger ──▶ store ──▶ delivery ──▶ destinations ──▶ GA4, CRM, …
//!                 accept   verify      count      one       what is due    render,
//!                 limit    interpret   plan       commit    when, again    judge
//!                                                   ▲
//!                     cli · operator · alerts ──────┘ read it, and ask it for changes
//! ```
//!
//! 1. [`http`] takes the request within its limits, finds the source by the path, and asks [`sources`] whether the signature
//!    holds and what the body says.
//! 2. What it says goes as one command to the one writing thread of [`store`]. There [`ledger`] *plans* what it does to the
//!    books: which money objects belong together, whose they are, what happened, who is to be told. The plan only reads, so
//!    an event that our code can't digest costs itself alone. Then the store *applies* it: event, dedup mark, business events
//!    and deliveries in one transaction, on disk before the sender gets its 200.
//! 3. [`delivery`] has a lane for each destination with a queue, a rate limit and a breaker of its own. A worker renders a
//!    delivery through [`destinations`], makes the requests, lets the destination judge the answers, and hands the result to
//!    the writer.
//! 4. [`alerts`] tells a person what needs one, by a way that has nothing to do with the deliveries it reports on.
//!
//! # The rooms, each of which uses only what stands below it
//!
//! | module | what is in it |
//! |---|---|
//! | [`cli`] | one file a command; talks to the running daemon, else to the store file |
//! | [`app`] | wiring and lifecycle: starts everything in order, stops it in the opposite one, reloads |
//! | [`demo`] | rehearsal without an account: sandboxes of the destinations, signed samples, checks that all agree |
//! | [`operator`] | what a person can ask or wish, answered in rows |
//! | [`http`] | the only code that names hyper and the server side of rustls: listener, certificates, webhooks, health, admin socket |
//! | [`delivery`] | the only code that names ureq: client, lanes, workers, what may be connected to |
//! | [`alerts`] | troubles, grouped and sent |
//! | [`store`] | the only code that names redb: tables, versioned records, commands, the writing thread, readers, keeping times, backup |
//! | [`telemetry`] | logs |
//! | [`config`] | the TOML or the environment → one checked [`config::Config`]; nothing else reads the environment |
//! | [`platform`] | clock, chance, signals, systemd, name service, free disk |
//! | [`ledger`] | *pure*: groups of money objects, contacts, business events, the plan of deliveries, what results do to them |
//! | [`destinations`] | *pure*: a delivery and its contact → requests; a response → an outcome |
//! | [`sources`] | *pure*: is a request genuine, and what does its body say |
//! | [`model`] | *pure*: the words that all the others think in |
//!
//! Pure means: no clock, no chance, no file, no socket, no environment. Time and chance come in as arguments, so that what an
//! event means can be read and tested alone. `tests/layering.rs` reads the sources and fails when one of these rules is
//! broken.
//!
//! # Where to add things
//!
//! - A provider: a file in [`sources`] and a line in [`sources::build`].
//! - A destination: a file in [`destinations`] and a line in [`destinations::build`].
//! - A configuration key: an entry in `config/definitions/`; complaints about it and the sample of `tallyhook init` follow,
//!   and `config/resolve.rs` or `config/named.rs` puts its value into the [`config::Config`].
//! - Something that a person can ask: a variant of [`operator::Request`], its answer in [`operator`], a command in [`cli`].
//! - A field on disk: a new version of its record in `store/record/`; old versions stay readable.
//! - A table, or another key: a step in `store/upgrade.rs`, and the layout's list of tables in `store/backup/catalogue.rs`.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod alerts;
pub mod app;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod demo;
pub mod destinations;
pub mod http;
pub mod ledger;
pub mod model;
pub mod operator;
pub mod platform;
pub mod sources;
pub mod store;
pub mod telemetry;

/// Memory goes from the listener's threads through the writer, which the allocator of a static glibc is slow at. Without huge
/// pages, which would double what an idle program holds.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
