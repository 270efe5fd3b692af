//! What waits for the writer: webhooks, refused requests to keep and what browsers say, of which only so many may wait, and
//! everything else, which is bounded by its makers.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::command::{Command, Reply};
use super::error::Unavailable;

/// Refused requests that may wait to be kept. Anyone can send them, so they have little room, and none of the webhooks'.
const MOST_REFUSED: usize = 64;
/// Posts of browsers that may wait. Anyone can send them too.
const MOST_LEADS: usize = 256;
/// Posts of browsers that are written with each batch, however many webhooks wait.
const SOME_LEADS: usize = 4;

/// Called by the writer once, after the commit or when there will be none.
pub(super) type Done = Box<dyn FnOnce(Result<Reply, Unavailable>) + Send>;

/// Answers. A defect of the one who asked is not the writer's.
pub(super) fn answer(done: Done, reply: Result<Reply, Unavailable>) {
    if catch_unwind(AssertUnwindSafe(|| done(reply))).is_err() {
        tracing::error!("a defect of tallyhook in taking an answer of the writer; see the line above");
    }
}

/// A command with who wants to know.
pub(super) struct Waiting {
    pub(super) command: Command,
    pub(super) done: Done,
}

impl Waiting {
    const fn is_refused(&self) -> bool {
        matches!(self.command, Command::KeepRefused(..))
    }
}

/// How many webhooks a command takes in.
fn webhooks_of(command: &Command) -> usize {
    match command {
        Command::Intake(_) => 1,
        Command::IntakeAll(intakes) => intakes.len(),
        _ => 0,
    }
}

#[derive(Default)]
struct State {
    intakes: VecDeque<Waiting>,
    /// Webhooks in `intakes`, which may come many at a time.
    webhooks: usize,
    others: VecDeque<Waiting>,
    /// What browsers say: behind everything else.
    leads: VecDeque<Waiting>,
    /// Refused requests among the others.
    refused: usize,
    closed: Option<Unavailable>,
}

impl State {
    fn is_empty(&self) -> bool {
        self.intakes.is_empty() && self.others.is_empty() && self.leads.is_empty()
    }
}

/// The queue between everybody and the writer.
pub(super) struct Queue {
    state: Mutex<State>,
    news: Condvar,
    most_intakes: usize,
}

impl Queue {
    pub(super) fn new(most_intakes: usize) -> Self {
        Self { state: Mutex::default(), news: Condvar::new(), most_intakes }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing between lock and unlock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a command in, or answers at once why not.
    pub(super) fn push(&self, command: Command, done: Done) {
        let mut state = self.lock();
        let webhooks = webhooks_of(&command);
        // Many in one request find room in an empty queue, however many they are: they would never find more.
        let has_room = state.webhooks == 0 || state.webhooks + webhooks <= self.most_intakes;
        let refusal = match (&state.closed, &command) {
            (Some(reason), _) => Some(reason.clone()),
            (None, Command::Intake(_) | Command::IntakeAll(_)) if !has_room => Some(Unavailable::Overloaded),
            (None, Command::KeepRefused(..)) if state.refused >= MOST_REFUSED => Some(Unavailable::Overloaded),
            (None, Command::Lead(_)) if state.leads.len() >= MOST_LEADS => Some(Unavailable::Overloaded),
            (None, _) => None,
        };
        if let Some(reason) = refusal {
            drop(state);
            done(Err(reason));
            return;
        }
        let waiting = Waiting { command, done };
        state.refused += usize::from(waiting.is_refused());
        state.webhooks += webhooks;
        let queue = match waiting.command {
            Command::Intake(_) | Command::IntakeAll(_) => &mut state.intakes,
            Command::Lead(_) => &mut state.leads,
            _ => &mut state.others,
        };
        queue.push_back(waiting);
        drop(state);
        self.news.notify_one();
    }

    /// Whether a webhook would be taken now.
    pub(super) fn has_room(&self) -> Result<(), Unavailable> {
        let state = self.lock();
        match &state.closed {
            Some(reason) => Err(reason.clone()),
            None if state.webhooks >= self.most_intakes => Err(Unavailable::Overloaded),
            None => Ok(()),
        }
    }

    /// How many webhooks wait to be written.
    pub(super) fn webhooks(&self) -> usize {
        self.lock().webhooks
    }

    /// Takes up to about `most` commands, webhooks and others in turn, what browsers say last; waits for the first. Empty when closed and drained, or when
    /// nothing came for a while.
    pub(super) fn take(&self, most: usize, wait: Duration) -> Vec<Waiting> {
        let mut state = self.lock();
        if state.is_empty() && state.closed.is_none() {
            state = self.news.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        // Each side may fill what the other leaves free, and at least half is kept for either.
        let others = state.others.len().min(most.saturating_sub(state.intakes.len()).max(most / 2));
        let intakes = state.intakes.len().min(most - others);
        let mut batch: Vec<Waiting> = state.intakes.drain(..intakes).collect();
        batch.extend(state.others.drain(..others));
        let leads = state.leads.len().min(most.saturating_sub(batch.len()).max(SOME_LEADS));
        batch.extend(state.leads.drain(..leads));
        state.webhooks -= batch.iter().map(|waiting| webhooks_of(&waiting.command)).sum::<usize>();
        state.refused -= batch.iter().filter(|waiting| waiting.is_refused()).count();
        batch
    }

    /// Takes nothing more in. What is in is still taken out, unless the store failed.
    pub(super) fn close(&self, reason: Unavailable) {
        let mut state = self.lock();
        let failed = matches!(reason, Unavailable::Failed(_));
        if state.closed.is_none() || failed {
            state.closed = Some(reason.clone());
        }
        let mut dropped = Vec::new();
        if failed {
            dropped.extend(state.intakes.drain(..));
            state.webhooks = 0;
            dropped.extend(state.others.drain(..));
            dropped.extend(state.leads.drain(..));
        }
        drop(state);
        self.news.notify_all();
        for waiting in dropped {
            answer(waiting.done, Err(reason.clone()));
        }
    }

    /// Whether it is closed and nothing is left in it.
    pub(super) fn is_finished(&self) -> bool {
        let state = self.lock();
        state.closed.is_some() && state.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::ledger::intake::Intake;
    use crate::model::envelope::Envelope;
    use crate::model::time::Timestamp;

    fn intake() -> Intake {
        Intake {
            source: "shop".into(),
            interpreted: None,
            mark: "m".into(),
            mark_lives: None,
            provider_id: "p".into(),
            received_at: Timestamp::EPOCH,
            envelope: Envelope::default(),
            body_bytes: 0,
            packed_body: Vec::new(),
        }
    }

    /// Whether a command is let in.
    fn push(queue: &Queue, command: Command) -> bool {
        let (sender, refused) = channel();
        queue.push(command, Box::new(move |reply| sender.send(reply).unwrap()));
        refused.try_recv().is_err()
    }

    #[test]
    fn many_webhooks_in_one_request_take_the_room_of_as_many() {
        let queue = Queue::new(10);
        let several = |number| Command::IntakeAll((0..number).map(|_| intake()).collect());
        assert!(push(&queue, several(8)) && queue.has_room().is_ok());
        assert_eq!(queue.webhooks(), 8);
        assert!(!push(&queue, several(3)), "eleven are too many");
        assert!(push(&queue, several(1)) && push(&queue, Command::Intake(Box::new(intake()))));
        assert!(!push(&queue, Command::Intake(Box::new(intake()))) && queue.has_room().is_err());
        assert!(push(&queue, Command::Touch), "what else there is to do has its own room");
        assert_eq!(queue.take(100, Duration::ZERO).len(), 4);
        assert_eq!(queue.webhooks(), 0);
        assert!(push(&queue, several(11)), "a request of more than there is ever room for is taken by an empty queue");
    }
}
