//! The engine put to the proof: a real store in memory with its real writer, a clock that stands until it is moved, and
//! destinations that answer from a script.

mod contacts;
mod crashes;
mod drain;
mod expiry;
mod fakes;
mod limits;
mod month;
mod schedule;
mod standing;
mod stopping;
mod waking;
mod world;
