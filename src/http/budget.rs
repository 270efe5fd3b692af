//! How many bytes of request bodies are held at a time, over all connections.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A limit on bytes that are held.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    held: AtomicUsize,
}

impl Budget {
    /// With room for `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, held: AtomicUsize::new(0) }
    }

    /// Starts a reservation of nothing.
    pub fn reserve(&self) -> Reservation<'_> {
        Reservation { budget: self, bytes: 0 }
    }

    /// Whether `bytes` more would fit now. Reserves nothing: a sender that only announces a body costs no room.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.held.load(Ordering::Relaxed).saturating_add(bytes) <= self.limit
    }
}

/// Bytes that are held; given back when dropped.
#[derive(Debug)]
pub struct Reservation<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Reservation<'_> {
    /// Holds `bytes` more. False when the budget has no room for them; then nothing changes.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let before = self.budget.held.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.budget.limit {
            self.budget.held.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_given_back() {
        let budget = Budget::new(100);
        let mut first = budget.reserve();
        assert!(first.grow(60));
        let mut second = budget.reserve();
        assert!(!second.grow(41));
        assert!(second.grow(40));
        assert!(!budget.has_room(1));
        drop(first);
        assert!(budget.has_room(60));
        assert!(!budget.has_room(61));
        drop(second);
        assert!(budget.has_room(100));
    }
}
