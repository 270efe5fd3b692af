//! The words Tallyhook thinks in, as types. Pure: no clock, no chance, no file, no socket.

pub mod attribution;
pub mod booking;
pub mod breaker;
pub mod business_event;
pub mod contact;
pub mod count;
pub mod delivery;
pub mod envelope;
pub mod ga_cookie;
pub mod group;
pub mod id;
pub mod identity;
pub mod lead;
pub mod money;
pub mod phone;
pub mod rate;
pub mod refused;
pub mod retry;
pub mod secret;
pub mod statement;
pub mod subscription;
pub mod time;
pub mod totals;
pub mod typing;
pub mod webhook;
