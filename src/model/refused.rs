//! A refused request that is kept whole, since its sender was answered 200 and does not come again by itself.

use super::envelope::Envelope;
use super::secret::Secret;
use super::time::Timestamp;

/// A refused request with all that it takes to verify it again. Anyone can send one: nothing in it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its number in the list of rejected requests, `r12`.
    pub id: u64,
    /// The configured source it was sent to.
    pub source: String,
    /// When it came; its signature is as old as it was then.
    pub received_at: Timestamp,
    /// Who sent it: the address of the connection's other end.
    pub address: String,
    /// Why it was refused, `no_matching_signature`.
    pub reason: String,
    /// What was found out about it, for a person.
    pub verdict: String,
    /// The header fields that its source's signature and the event's name stand in, and what the address said; never a token.
    pub envelope: Envelope,
    /// The address's query as received, for senders that sign their whole address; a token of its source in it is masked. Never
    /// shown: anything may stand in it.
    pub query: Option<Secret>,
    /// Size of the raw body in bytes.
    pub body_bytes: u32,
}

/// Refused requests of one source that are kept at most; the oldest go first.
pub const MOST_REFUSED: u64 = 1000;

/// Bytes that the kept bodies of one source take up at most, as they are packed; the oldest go first. 32 MiB.
pub const MOST_REFUSED_BYTES: u64 = 32 * 1024 * 1024;
