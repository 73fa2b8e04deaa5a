//! What the writers have done, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the store was opened, of all its services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Transactions made durable.
    pub transactions: u64,
    /// Commits written.
    pub commits: u64,
    /// Commits that lost a race, repeated a key, or were malformed.
    pub refused: u64,
    /// Transactions tried again because another replica was faster.
    pub repeated: u64,
    /// Transactions divided because a commit in them could not be written.
    pub divided: u64,
    /// Commits sent away because the queue was full.
    pub overflowed: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) transactions: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) repeated: AtomicU64,
    pub(crate) divided: AtomicU64,
    pub(crate) overflowed: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            transactions: read(&self.transactions),
            commits: read(&self.commits),
            refused: read(&self.refused),
            repeated: read(&self.repeated),
            divided: read(&self.divided),
            overflowed: read(&self.overflowed),
        }
    }
}
