//! What a verified body means, ready for the writer. What comes late, by way of `rejected retry`, goes through here too.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::ledger::intake::Intake;
use crate::model::envelope::Envelope;
use crate::model::time::Timestamp;
use crate::sources::{BODY_ID, BODY_ID_LIVES, InvalidPayload, MOST_PARTS, Message, Request, Source};

/// The longest value of a header field that is stored with a webhook, in bytes.
const LONGEST_VALUE: usize = 1024;

/// What one genuine request holds.
#[allow(clippy::large_enum_variant)] // A box would cost every webhook an allocation; several in one request are rare.
pub enum Intakes {
    /// One event.
    One(Intake),
    /// Several, in their order.
    Several(Vec<Intake>),
}

impl Intakes {
    /// Every one of them.
    pub fn all(&self) -> &[Intake] {
        match self {
            Self::One(intake) => std::slice::from_ref(intake),
            Self::Several(intakes) => intakes,
        }
    }
}

/// What of a request is stored with its webhooks.
pub fn envelope(source: &dyn Source, request: &Request<'_>) -> Envelope {
    kept(source.telling_headers(), request, LONGEST_VALUE)
}

/// What of a refused request is kept, so that it can be verified and interpreted later.
pub fn refused_envelope(source: &dyn Source, request: &Request<'_>) -> Envelope {
    let mut names = source.signature_headers();
    names.extend(source.telling_headers());
    names.sort_unstable();
    names.dedup();
    kept(names, request, usize::MAX)
}

fn kept(names: Vec<&str>, request: &Request<'_>, longest: usize) -> Envelope {
    let mut headers = Vec::new();
    for name in names {
        let values = request.headers.values(name).into_iter().filter(|value| value.len() <= longest);
        headers.extend(values.map(|value| (name.to_owned(), value.to_vec())));
    }
    Envelope { headers, event: request.event.map(str::to_owned) }
}

/// Parts and interprets a body that `source`, configured under `name`, has verified. `pack` makes of a body what the store keeps.
///
/// # Errors
/// When it can't be taken as events: then none of them is. What our own code fails on is no error: it is stored as unreadable.
pub fn intakes(
    name: &str,
    source: &dyn Source,
    envelope: Envelope,
    body: &[u8],
    received_at: Timestamp,
    pack: fn(&[u8]) -> Vec<u8>,
) -> Result<Intakes, InvalidPayload> {
    let message = Message { envelope: &envelope, body, received_at };
    // The panic is reported by the process's panic hook, as every other.
    let parts = catch_unwind(AssertUnwindSafe(|| source.split(&message))).unwrap_or(Ok(None))?;
    let Some(parts) = parts else {
        return intake(name, source, envelope, body, received_at, pack).map(Intakes::One);
    };
    if parts.len() > MOST_PARTS {
        return Err(InvalidPayload(format!("more than {MOST_PARTS} events in one request")));
    }
    let each = parts.iter().map(|part| intake(name, source, envelope.clone(), part, received_at, pack));
    each.collect::<Result<_, _>>().map(Intakes::Several)
}

/// The longest id that is taken from a body our code failed on, in bytes.
const LONGEST_LENIENT_ID: usize = 255;

fn intake(
    name: &str,
    source: &dyn Source,
    envelope: Envelope,
    body: &[u8],
    received_at: Timestamp,
    pack: fn(&[u8]) -> Vec<u8>,
) -> Result<Intake, InvalidPayload> {
    // The panic is reported by the process's panic hook, as every other.
    let interpreted = match catch_unwind(AssertUnwindSafe(|| {
        source.interpret(&Message { envelope: &envelope, body, received_at })
    })) {
        Ok(interpreted) => Some(interpreted?),
        Err(_panic) => None,
    };
    let provider_id = match &interpreted {
        Some(interpreted) => interpreted.provider_id.clone(),
        None => lenient_id(body),
    };
    // An id that our own code made up for want of understanding stands for one that the sender gave: that lasts.
    let made_from_body = interpreted.is_some() && provider_id.starts_with(BODY_ID);
    Ok(Intake {
        source: name.to_owned(),
        interpreted,
        mark: format!("{}/{provider_id}", source.provider()),
        mark_lives: made_from_body.then_some(BODY_ID_LIVES),
        provider_id,
        received_at,
        envelope,
        body_bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
        packed_body: pack(body),
    })
}

/// The id of an event that our own code failed on: the top-level `id` where one can be made out, so that a repeat is still
/// known as one; else a name made from the body.
fn lenient_id(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct OnlyId {
        id: String,
    }
    match serde_json::from_slice::<OnlyId>(body) {
        Ok(OnlyId { id })
            if !id.is_empty() && id.len() <= LONGEST_LENIENT_ID && id.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            id
        }
        _ => format!("{BODY_ID}{}", hex::encode(&Sha256::digest(body)[..16])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_most_bodies_and_made_for_the_rest() {
        assert_eq!(lenient_id(br#"{"a":[1,{"id":"no"}],"id":"evt_1"}"#), "evt_1");
        let deep = format!(r#"{{"x":{}1{},"id":"evt_2"}}"#, "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(lenient_id(deep.as_bytes()), "evt_2", "what is skipped may be deep");
        for odd in
            [&b""[..], b"[]", b"{\"id\":7}", b"{\"id\":\"\"}", b"{\"id\":\"a\\nb\"}", b"\xff\xfe", b"{\"id\":\"x"]
        {
            let id = lenient_id(odd);
            assert!(id.starts_with("body-") && id.len() == 37, "{id}");
            assert_eq!(id, lenient_id(odd));
        }
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(256));
        assert!(lenient_id(long.as_bytes()).starts_with("body-"));
    }
}
