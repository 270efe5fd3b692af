//! What the machine gives: time, chance, signals, the service manager, disk, accounts, names and addresses.

pub mod accounts;
pub mod clock;
pub mod crypto;
pub mod disk;
pub mod name_service;
pub mod network;
pub mod new_file;
pub mod served_certificate;
pub mod signals;
pub mod sockets;
pub mod systemd;
