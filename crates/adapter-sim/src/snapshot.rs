//! A world's disk as it was at some moment, for others to begin with.

use std::fmt;

use kernel::Timestamp;

use crate::disk::Disk;
use crate::environment::BEGINNING;

/// What was durable, and when. Worlds that begin with it begin at that moment.
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) disk: Disk,
    pub(crate) at: Timestamp,
}

impl Default for Snapshot {
    /// Nothing, on Monday 2026-01-05 at 10:00 UTC.
    fn default() -> Self {
        Self { disk: Disk::default(), at: BEGINNING }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("at", &self.at).finish_non_exhaustive()
    }
}
