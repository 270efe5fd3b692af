//! Reading a request's body within its limits of size, time and memory.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::budget::{Budget, Reservation};

/// The most that is set aside for an announced body before its bytes come.
const FIRST_CAPACITY: usize = 64 * 1024;

/// A body that was sent and may not have been read yet.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    ended: bool,
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// More bytes than allowed, announced or sent.
    TooLarge,
    /// Not complete in time.
    TooSlow,
    /// No room for it in the budget of bytes in flight.
    Overloaded,
    /// The sender went away, or its framing is wrong.
    Broken,
}

impl RequestBody {
    /// Wraps what hyper gives.
    pub fn new(incoming: Incoming) -> Self {
        let ended = incoming.is_end_stream();
        Self { incoming, ended }
    }

    /// Whether bytes of it may still be on their way, so that the connection can't carry another request.
    pub fn is_unread(&self) -> bool {
        !self.ended
    }

    /// Reads all of it. A body that came in one piece is not copied.
    ///
    /// Room in the budget is taken as bytes arrive, so that senders who announce much and send little can't use it up.
    ///
    /// # Errors
    /// When a limit is exceeded or the sender fails; the rest of the body is then left unread.
    pub async fn read<'b>(
        &mut self,
        max_bytes: usize,
        max_time: Duration,
        budget: &'b Budget,
    ) -> Result<(Bytes, Reservation<'b>), BodyError> {
        let announced = match self.incoming.size_hint().exact() {
            Some(bytes) => usize::try_from(bytes).map_err(|_| BodyError::TooLarge)?,
            None => 0,
        };
        if announced > max_bytes {
            return Err(BodyError::TooLarge);
        }
        if !budget.has_room(announced) {
            return Err(BodyError::Overloaded);
        }
        let mut reservation = budget.reserve();
        let bytes = tokio::time::timeout(max_time, self.collect(max_bytes, announced, &mut reservation))
            .await
            .map_err(|_| BodyError::TooSlow)??;
        Ok((bytes, reservation))
    }

    async fn collect(
        &mut self,
        max_bytes: usize,
        announced: usize,
        reservation: &mut Reservation<'_>,
    ) -> Result<Bytes, BodyError> {
        let mut gathered = BytesMut::new();
        while !self.ended {
            let Some(frame) = self.incoming.frame().await else {
                self.ended = true;
                break;
            };
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            if gathered.len() + data.len() > max_bytes {
                return Err(BodyError::TooLarge);
            }
            if !reservation.grow(data.len()) {
                return Err(BodyError::Overloaded);
            }
            self.ended = self.incoming.is_end_stream();
            if gathered.is_empty() {
                if self.ended {
                    return Ok(data);
                }
                gathered.reserve(announced.clamp(data.len(), FIRST_CAPACITY.max(data.len())));
            }
            gathered.extend_from_slice(&data);
        }
        Ok(gathered.freeze())
    }
}
