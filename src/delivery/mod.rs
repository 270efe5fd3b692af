//! Delivers what is due: when, how fast, and what to make of the answers. The only folder that names ureq.
//!
//! Each destination has a lane of its own: queue, workers, rate limit, breaker. A dead one costs the others nothing.

pub mod address;
mod attempt;
mod backlog;
pub mod client;
pub mod connection;
pub mod engine;
mod expire;
mod job;
mod lane;
pub mod resolver;
mod standing;
#[cfg(test)]
mod tests;
mod worker;
