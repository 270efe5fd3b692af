//! Signature schemes shared by senders.
