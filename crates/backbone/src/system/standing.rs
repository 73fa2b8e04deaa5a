//! Up to where a consumer of a broker has had the events of each producer, by their time: where the
//! broker loses what it has not had, the producers' journals are read from there.

use std::collections::BTreeMap;

use kernel::Timestamp;
use serde::{Deserialize, Serialize};

use crate::collection::{Collection, ColumnValue};
use crate::document::Document;

/// One for each place at which a consumer reads.
pub const STANDINGS: Collection = Collection { name: "consumer_standings", columns: &[], children: &[] };

/// Up to where a consumer has had everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// `order-inventory`, `order-inventory/1`.
    pub place: String,
    /// Since when the consumer is there.
    pub since: Timestamp,
    /// The time of the last event that it had of each producer, noted now and then: never too late.
    pub had: BTreeMap<String, Timestamp>,
    /// The gap that it closes just now.
    pub catching_up: Option<CatchingUp>,
}

/// A gap on its way to being closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatchingUp {
    /// The first position of the broker's that was missing.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// Since when.
    pub began_at: Timestamp,
    /// How far each producer's journal was read.
    pub positions: BTreeMap<String, u64>,
}

impl Document for Standing {
    const COLLECTION: &'static Collection = &STANDINGS;

    fn id(&self) -> String {
        self.place.clone()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}
