//! Tallyhook.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod config;
pub mod destinations;
pub mod model;
pub mod platform;
pub mod sources;
