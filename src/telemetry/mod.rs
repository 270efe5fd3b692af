//! What the program says of itself.

pub mod logs;
pub mod panics;

pub use logs::init;
