//! What the machine gives: time, chance, signals, the service manager, free disk.

pub mod clock;
pub mod crypto;
pub mod disk;
pub mod name_service;
pub mod signals;
pub mod sockets;
pub mod systemd;
