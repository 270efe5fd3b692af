//! From the listener to the writer.

use std::sync::Arc;

use super::space::Space;
use crate::http::door::{Door, Ingesting, NotReady};
use crate::ledger::intake::Intake;
use crate::store::{Command, Reply, Unavailable, Writer};

/// The door with a writer behind it.
pub(super) struct WriterDoor {
    pub(super) writer: Writer,
    pub(super) space: Arc<Space>,
}

impl Door for WriterDoor {
    fn try_ready(&self) -> Result<(), NotReady> {
        if !self.space.is_enough() {
            return Err(NotReady { reason: "disk_reserve" });
        }
        self.writer.has_room().map_err(|error| not_ready(&error))
    }

    fn ingest(&self, intake: Intake) -> Ingesting {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.writer.submit(Command::Intake(Box::new(intake)), move |reply| {
            // Nobody waits any more when the sender hung up; the webhook is stored all the same.
            let _ = sender.send(reply);
        });
        Box::pin(async move {
            match receiver.await {
                Ok(Ok(Reply::Receipt(receipt))) => Ok(receipt),
                Ok(Ok(_)) | Err(_) => Err(NotReady { reason: "store_failed" }),
                Ok(Err(error)) => Err(not_ready(&error)),
            }
        })
    }
}

const fn not_ready(error: &Unavailable) -> NotReady {
    NotReady {
        reason: match error {
            Unavailable::Failed(_) => "store_failed",
            Unavailable::Overloaded => "overloaded",
            Unavailable::Stopped => "stopping",
        },
    }
}
