//! From the listener to the writer.

use std::sync::Arc;

use super::space::Space;
use crate::http::door::{Door, Ingesting, IngestingAll, Keeping, NotReady, TakingLead};
use crate::ledger::intake::Intake;
use crate::model::lead::LeadPost;
use crate::model::refused::Refused;
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
        let reply = self.ask(Command::Intake(Box::new(intake)));
        Box::pin(async move {
            match reply.await? {
                Reply::Receipt(receipt) => Ok(receipt),
                _ => Err(NotReady { reason: "store_failed" }),
            }
        })
    }

    fn ingest_all(&self, intakes: Vec<Intake>) -> IngestingAll {
        let reply = self.ask(Command::IntakeAll(intakes));
        Box::pin(async move {
            match reply.await? {
                Reply::Receipts(receipts) => Ok(receipts),
                _ => Err(NotReady { reason: "store_failed" }),
            }
        })
    }

    fn keep_refused(&self, refused: Refused, packed_body: Vec<u8>) -> Keeping {
        let reply = self.ask(Command::KeepRefused(Box::new(refused), packed_body));
        Box::pin(async move { reply.await.map(drop) })
    }

    fn take_lead(&self, post: LeadPost) -> TakingLead {
        let reply = self.ask(Command::Lead(Box::new(post)));
        Box::pin(async move {
            match reply.await? {
                Reply::Lead(receipt) => Ok(receipt),
                _ => Err(NotReady { reason: "store_failed" }),
            }
        })
    }
}

impl WriterDoor {
    /// Gives the writer a command; resolves when it is on disk. Nobody waits any more when the sender hung up; it is done all the
    /// same.
    fn ask(&self, command: Command) -> impl Future<Output = Result<Reply, NotReady>> + Send + 'static {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.writer.submit(command, move |reply| {
            let _ = sender.send(reply);
        });
        async move {
            match receiver.await {
                Ok(Ok(reply)) => Ok(reply),
                Ok(Err(error)) => Err(not_ready(&error)),
                Err(_) => Err(NotReady { reason: "store_failed" }),
            }
        }
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
