//! What holds for every record: it comes back as it was, byte for byte the same as ever, and damage is told, never fatal.

mod codes;
mod golden;
mod properties;
mod refusals;
mod samples;
mod strategies;
