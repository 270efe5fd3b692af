//! What deserves a person's attention: grouped, limited, and sent by a way of its own.

pub mod grouping;
pub mod sender;
pub mod trouble;
