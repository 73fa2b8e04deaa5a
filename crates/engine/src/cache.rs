//! Predicted states: what things will be once the commits in flight are durable.

use std::cell::RefCell;
use std::collections::BTreeSet;
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
    /// Whether what is durable may be remembered: not where others write to the same store.
    keeps_durable: bool,
    // Interior mutability because looking something up makes it recent.
    entries: RefCell<LruCache<Key, Entry>>,
}

impl Cache {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        Self { keeps_durable: true, entries: RefCell::new(LruCache::new(capacity)) }
    }

    /// Remembers nothing but what is in flight beyond the round in which it was loaded: others
    /// write to the same store.
    #[must_use]
    pub(crate) fn of_shared_store(mut self, is_shared: bool) -> Self {
        self.keeps_durable = !is_shared;
        self
    }

    /// Which of `keys` must be loaded for the next round.
    pub(crate) fn lacks<'k>(&self, keys: &'k BTreeSet<Key>) -> impl Iterator<Item = &'k Key> {
        let entries = self.entries.borrow();
        let stays =
            |key: &&Key| entries.peek(*key).is_some_and(|entry| self.keeps_durable || entry.ticket != 0);
        keys.iter().filter(|key| !stays(key)).collect::<Vec<_>>().into_iter()
    }

    /// All that was loaded has been decided on.
    pub(crate) fn end_round(&mut self) {
        if self.keeps_durable {
            return;
        }
        let entries = self.entries.get_mut();
        let durable: Vec<Key> =
            entries.iter().filter(|(_, entry)| entry.ticket == 0).map(|(key, _)| key.clone()).collect();
        for key in durable {
            entries.pop(&key);
        }
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
