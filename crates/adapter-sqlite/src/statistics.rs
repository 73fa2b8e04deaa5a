//! What the writer has done, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Transactions made durable with one sync each.
    pub syncs: u64,
    /// Commits written.
    pub commits: u64,
    /// Commits that lost a race, repeated a key, or were malformed.
    pub refused: u64,
    /// Events in the bus's log since it was made.
    pub log_end: u64,
    /// Commits that wait now.
    pub queued: u64,
    /// Commits sent away because the queue was full.
    pub overflowed: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) syncs: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) overflowed: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, queued: u64, log_end: u64) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            syncs: read(&self.syncs),
            commits: read(&self.commits),
            refused: read(&self.refused),
            overflowed: read(&self.overflowed),
            queued,
            log_end,
        }
    }
}
