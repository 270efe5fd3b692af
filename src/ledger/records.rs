//! Records of one table as one command sees them: read at their first mention, copied when they are first changed.

use super::books::BooksResult;

#[derive(Debug)]
struct Entry<K, T> {
    key: K,
    before: Option<T>,
    /// A copy is made when it is first changed.
    now: Option<T>,
}

/// Records of one table, by key; a command touches a handful, so a list is the fastest map.
#[derive(Debug)]
pub(super) struct Records<K, T>(Vec<Entry<K, T>>);

impl<K: Copy + PartialEq, T: Clone + PartialEq> Records<K, T> {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Where the record is, read at its first mention.
    pub(super) fn load(&mut self, key: K, read: impl FnOnce() -> BooksResult<Option<T>>) -> BooksResult<usize> {
        if let Some(at) = self.0.iter().position(|entry| entry.key == key) {
            return Ok(at);
        }
        self.0.push(Entry { key, before: read()?, now: None });
        Ok(self.0.len() - 1)
    }

    /// The record at a place, to be read.
    pub(super) fn at(&self, at: usize) -> Option<&T> {
        let entry = self.0.get(at)?;
        entry.now.as_ref().or(entry.before.as_ref())
    }

    /// The record at a place, to be changed.
    pub(super) fn at_mut(&mut self, at: usize) -> Option<&mut T> {
        let entry = self.0.get_mut(at)?;
        if entry.now.is_none() {
            entry.now.clone_from(&entry.before);
        }
        entry.now.as_mut()
    }

    /// Puts a record, new or changed.
    pub(super) fn put(&mut self, key: K, record: T) {
        match self.0.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => entry.now = Some(record),
            None => self.0.push(Entry { key, before: None, now: Some(record) }),
        }
    }

    /// Every record that was mentioned and is there.
    pub(super) fn known(&self) -> impl Iterator<Item = (&K, &T)> {
        self.0.iter().filter_map(|entry| Some((&entry.key, entry.now.as_ref().or(entry.before.as_ref())?)))
    }

    /// What differs from what was read, with what that was.
    pub(super) fn changed(self) -> impl Iterator<Item = (Option<T>, T)> {
        self.0.into_iter().filter_map(|entry| {
            let now = entry.now?;
            (entry.before.as_ref() != Some(&now)).then_some((entry.before, now))
        })
    }
}
