//! Predicted states: what things will be once the commits in flight are durable.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use backbone::workspace::{Key, Slot, States};
use lru::LruCache;

/// A state with the ticket of the commit that predicts it; 0 where it is durable.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) slot: Slot,
    pub(crate) ticket: u64,
}

/// Predicted states, the least recently used forgotten first.
pub(crate) struct Cache {
    // Interior mutability because looking something up makes it recent.
    entries: RefCell<LruCache<Key, Entry>>,
}

impl Cache {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        Self { entries: RefCell::new(LruCache::new(capacity)) }
    }

    /// The ticket of the commit in flight that a state rests on.
    pub(crate) fn ticket(&self, key: &Key) -> u64 {
        self.entries.borrow().peek(key).map_or(0, |entry| entry.ticket)
    }

    /// Takes in a state that was loaded, unless a newer prediction came first.
    pub(crate) fn loaded(&mut self, key: Key, slot: Slot) {
        let entries = self.entries.get_mut();
        if !entries.contains(&key) {
            entries.put(key, Entry { slot, ticket: 0 });
        }
    }

    /// Takes in a prediction.
    pub(crate) fn predict(&mut self, key: Key, slot: Slot, ticket: u64) {
        self.entries.get_mut().put(key, Entry { slot, ticket });
    }

    /// A commit is durable: what it predicted is true.
    pub(crate) fn confirm(&mut self, key: &Key, ticket: u64) {
        if let Some(entry) = self.entries.get_mut().peek_mut(key)
            && entry.ticket == ticket
        {
            entry.ticket = 0;
        }
    }

    /// A commit failed: forgets what it predicted or was decided on, unless it is newer.
    pub(crate) fn forget(&mut self, key: &Key, ticket: u64) {
        let entries = self.entries.get_mut();
        if entries.peek(key).is_some_and(|entry| entry.ticket <= ticket) {
            entries.pop(key);
        }
    }

    /// Forgets a state whose version is not known.
    pub(crate) fn drop_key(&mut self, key: &Key) {
        self.entries.get_mut().pop(key);
    }
}

impl States for Cache {
    fn get(&self, key: &Key) -> Option<Slot> {
        self.entries.borrow_mut().get(key).map(|entry| entry.slot.clone())
    }
}
