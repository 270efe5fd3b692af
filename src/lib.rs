//! Tallyhook.
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
