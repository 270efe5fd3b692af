//! Sending what is due. The only code that names `ureq`.

pub mod address;
pub mod client;
pub mod connection;
pub mod resolver;
