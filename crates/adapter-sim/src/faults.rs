//! What goes wrong, and how often. Chances are in 1,000; 1,000 is always.

use std::collections::BTreeMap;

use kernel::Duration;

/// What happens to one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// It is written and the answer is an error: the asker must look it up (reliability.md,
    /// rule 25).
    AnswerLost,
    /// It is not written and the answer is an error.
    NotWritten,
    /// The process dies before the sync that has it: nothing of the batch is written.
    CrashBefore,
    /// The process dies after the sync that has it: the batch is written and nobody is answered.
    CrashAfter,
}

/// What goes wrong. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Per commit: written, answered with an error.
    pub answer_lost_permille: u32,
    /// Per commit: not written, answered with an error.
    pub not_written_permille: u32,
    /// Per sync: the process dies before or after it, with equal chances.
    pub crash_permille: u32,
    /// Per sync: it takes `slow_sync` longer.
    pub slow_sync_permille: u32,
    /// How much longer a slow sync takes.
    pub slow_sync: Duration,
    /// Per read of a journal: an error.
    pub read_fails_permille: u32,
    /// Per fetch of a consumer: an error, nothing is lost.
    pub fetch_fails_permille: u32,
    /// Per publish: an error; whether it was written is a matter of chance.
    pub publish_fails_permille: u32,
    /// Per acknowledged delivery of a broker: the acknowledgement is lost, the delivery comes
    /// again.
    pub redelivery_permille: u32,
    /// Per publish: it is carried out twice.
    pub twice_permille: u32,
    /// Per call of the key ring: an error.
    pub keyring_fails_permille: u32,
    /// Per request, and per answer: it is lost on its way.
    pub lost_permille: u32,
    /// Per request, and per answer: it comes up to `late` later.
    pub late_permille: u32,
    /// How much later a late one may come.
    pub late: Duration,
    /// Per crash in a sync: the first commits of its batch are written and the others are not.
    pub torn_permille: u32,
    /// What happens to the n-th commit of this world, counted from 1.
    pub at: BTreeMap<u64, CommitFault>,
}
