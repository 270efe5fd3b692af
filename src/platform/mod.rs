//! What the machine gives: time, chance, signals, the service manager, free disk.

pub mod clock;
