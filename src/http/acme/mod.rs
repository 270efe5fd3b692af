//! Certificates by themselves (RFC 8555): an account at an authority, proof that the names lead here, a certificate, and its
//! renewal in time. instant-acme speaks the protocol; when to speak, what to keep and how to fail is decided here.
//!
//! Starting never waits for the authority. Without a certificate handshakes are refused and it goes on trying; one that is on disk
//! is used at once, and another is only asked for when it is time.

pub mod challenges;
mod failure;
pub mod keeper;
mod order;
mod schedule;
mod state;
mod transport;

pub use transport::Exchange;
