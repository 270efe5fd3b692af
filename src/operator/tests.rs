//! The desk over a real store file, without and with the parts that only a daemon has.

mod books;
mod changes;
mod lists;
mod preview;
mod refused;
mod status;
