//! What is kept of a request besides its body, so that it can be judged and interpreted again later.

/// Header fields that matter and what the address said. Never a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Header fields, names in lower case, in order of appearance.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The event that the address named, `?event=…`, for senders that can't name it in the body.
    pub event: Option<String>,
}

impl Envelope {
    /// Nothing but a body.
    pub const EMPTY: &Self = &Self { headers: Vec::new(), event: None };
}
