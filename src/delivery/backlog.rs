//! What a lane knows of its queue in the store: a stretch that was read ahead, what is under way, what is left alone.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::ledger::workspace::Due;
use crate::model::id::DestinationId;
use crate::model::time::Timestamp;
use crate::store::{Snapshot, StoreError, StoreReader};

/// Places of the queue read at a time.
const READ_AHEAD: usize = 256;

/// The view of one destination's queue.
pub(super) struct Backlog {
    destination: DestinationId,
    reader: StoreReader,
    /// Read and not yet taken, earliest first. May be out of date: whoever takes one looks at its record again.
    ahead: VecDeque<Due>,
    /// The store may hold something due that is not in `ahead`.
    is_stale: bool,
    /// Not stale until this moment without news.
    next_at: Timestamp,
    /// Targets that were taken and whose result is not on disk yet. Each still has its place in the store's queue.
    under_way: HashSet<u64>,
    /// Targets that can't be dealt with now, and until when they are left alone.
    left_alone: HashMap<u64, Timestamp>,
}

impl Backlog {
    /// Of which nothing is known yet.
    pub(super) fn new(destination: DestinationId, reader: StoreReader) -> Self {
        Self {
            destination,
            reader,
            ahead: VecDeque::new(),
            is_stale: true,
            next_at: Timestamp::FAR_FUTURE,
            under_way: HashSet::new(),
            left_alone: HashMap::new(),
        }
    }

    /// Something in the store's queue changed.
    pub(super) fn news(&mut self) {
        self.is_stale = true;
    }

    /// Whether there may be more to take at once.
    pub(super) fn may_have_more(&self) -> bool {
        self.is_stale || !self.ahead.is_empty()
    }

    /// How many results are awaited.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    #[cfg(test)]
    pub(super) fn is_quiet(&self) -> bool {
        self.under_way.is_empty() && !self.may_have_more()
    }

    /// The first that is due and free; none until [`Backlog::next_at`]. It is still to be taken.
    pub(super) fn first(&mut self, now: Timestamp) -> Result<Option<Due>, StoreError> {
        loop {
            while let Some(due) = self.ahead.front().copied() {
                if due.at > now {
                    // The clock was set back.
                    self.ahead.clear();
                    self.is_stale = true;
                } else if self.is_free(due.target, now) {
                    return Ok(Some(due));
                } else {
                    self.ahead.pop_front();
                }
            }
            if !self.is_stale && now < self.next_at {
                return Ok(None);
            }
            self.read(now)?;
        }
    }

    /// When the first that is not due yet will be, as of the last read that found nothing.
    pub(super) const fn next_at(&self) -> Timestamp {
        self.next_at
    }

    /// The first free one after a place, else the first of all; it is still to be taken.
    pub(super) fn another(&mut self, after: Option<Due>, now: Timestamp) -> Result<Option<Due>, StoreError> {
        let snapshot = self.reader.snapshot()?;
        let most = 1 + self.under_way.len() + self.left_alone.len();
        let mut found = match after {
            Some(after) => self.first_free(snapshot.due_after(after, now, most)?, now),
            None => None,
        };
        if found.is_none() {
            found = self.first_free(snapshot.due(self.destination, now, most)?, now);
        }
        if found.is_none() {
            self.ahead.clear();
            self.look_ahead(&snapshot, now)?;
        }
        Ok(found)
    }

    /// Takes one: nobody else gets it before [`Backlog::end`].
    pub(super) fn begin(&mut self, due: Due) {
        if self.ahead.front() == Some(&due) {
            self.ahead.pop_front();
        }
        self.under_way.insert(due.target);
    }

    /// Its result is on disk, or there is none; it may be taken again if it `may_be_due` still.
    pub(super) fn end(&mut self, target: u64, may_be_due: bool) {
        self.under_way.remove(&target);
        self.is_stale |= may_be_due;
    }

    /// It can't be dealt with before that moment.
    pub(super) fn leave_alone(&mut self, target: u64, until: Timestamp) {
        self.left_alone.insert(target, until);
        self.end(target, true);
    }

    fn is_free(&self, target: u64, now: Timestamp) -> bool {
        !self.under_way.contains(&target) && self.left_alone.get(&target).is_none_or(|until| *until <= now)
    }

    fn first_free(&self, places: Vec<Due>, now: Timestamp) -> Option<Due> {
        places.into_iter().find(|due| self.is_free(due.target, now))
    }

    /// Reads from the front, past what is under way or left alone, so that at least [`READ_AHEAD`] new ones come if there are
    /// so many.
    fn read(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.left_alone.retain(|_, until| *until > now);
        let snapshot = self.reader.snapshot()?;
        let most = READ_AHEAD + self.under_way.len() + self.left_alone.len();
        let places = snapshot.due(self.destination, now, most)?;
        let is_full = places.len() >= most;
        let free: Vec<Due> = places.into_iter().filter(|due| self.is_free(due.target, now)).collect();
        self.ahead.extend(free);
        if is_full {
            self.is_stale = true;
            return Ok(());
        }
        self.look_ahead(&snapshot, now)
    }

    /// Notes when there will be something new without news.
    fn look_ahead(&mut self, snapshot: &Snapshot, now: Timestamp) -> Result<(), StoreError> {
        let last = Due { destination: self.destination, at: now, target: u64::MAX };
        let later = snapshot.due_after(last, Timestamp::FAR_FUTURE, 1)?.pop().map(|due| due.at);
        let free = self.left_alone.values().copied().filter(|until| *until > now).min();
        self.next_at = [later, free].into_iter().flatten().min().unwrap_or(Timestamp::FAR_FUTURE);
        self.is_stale = false;
        Ok(())
    }
}
