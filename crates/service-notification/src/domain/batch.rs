//! Deliveries that are told together.

use backbone::Document;
use backbone::collection::{Collection, ColumnValue};
use contracts::notification::BatchProcessed;
use contracts::shared::NotificationFailure;
use kernel::{BatchId, NotificationId, Timestamp};
use serde::{Deserialize, Serialize};

/// Where the open batch is kept.
pub const TALLIES: Collection = Collection { name: "tallies", columns: &[], children: &[] };

/// The open batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// The batch.
    pub batch_id: BatchId,
    /// When its first message was handled.
    pub since: Timestamp,
    /// The messages in it.
    pub notification_ids: Vec<NotificationId>,
    /// Which of them did not go out: message and reason.
    pub failures: Vec<(NotificationId, String)>,
}

impl Document for Tally {
    const COLLECTION: &'static Collection = &TALLIES;

    fn id(&self) -> String {
        Self::KEY.to_owned()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

impl Tally {
    /// There is one.
    pub const KEY: &'static str = "open";

    /// A batch that begins.
    pub fn begin(batch_id: BatchId, since: Timestamp) -> Self {
        Self { batch_id, since, notification_ids: Vec::new(), failures: Vec::new() }
    }

    /// The batch as it is told.
    pub fn told(self, now: Timestamp) -> BatchProcessed {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let failed = count(self.failures.len());
        let failure = |(notification_id, error)| NotificationFailure { notification_id, error };
        BatchProcessed {
            batch_id: self.batch_id,
            successful: count(self.notification_ids.len()).saturating_sub(failed),
            notification_ids: self.notification_ids,
            failed,
            failures: self.failures.into_iter().map(failure).collect(),
            processing_time_ms: u64::try_from(now.since(self.since).as_millis()).unwrap_or(u64::MAX),
            processed_at: now,
        }
    }
}
