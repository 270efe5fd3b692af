//! What the world and the operator talk to: the only code that names hyper and the server side of rustls.
//!
//! A request travels `listener` → `connection` → `router` → a page (`webhooks`, `health`). Handlers translate and delegate: what a
//! webhook means is decided in `sources`, what becomes of it behind the [`door::Door`].

pub mod acme;
pub mod admin;
pub mod admin_client;
mod answer;
mod body;
mod budget;
pub mod certificate;
mod connection;
pub mod door;
pub mod health;
pub mod leads;
pub mod listener;
pub mod plain;
pub mod rejected;
pub mod router;
pub mod source_table;
pub mod tls;
pub mod verified;
pub mod webhooks;

#[cfg(test)]
mod tests;
