//! What is published again: a service's relay went back, and comes forward through everything.

use kernel::Timestamp;
use serde::{Deserialize, Serialize};

use crate::collection::{Collection, ColumnValue};
use crate::document::Document;

/// The service's one request to publish again.
pub const REPUBLISHING: Collection = Collection { name: "republishing", columns: &[], children: &[] };

/// Where the relay goes back to, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Republishing {
    /// How often it was asked for: a relay that finds another number begins again from the record.
    pub turn: u64,
    /// Everything after this position of the journal.
    pub from: u64,
    /// Up to where it was published again.
    pub position: u64,
    /// Up to where it had been published before; the relay says so when it goes back.
    pub until: Option<u64>,
    /// How many events were published again, repetitions after a crash included.
    pub published: u64,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When the relay had come forward again.
    pub finished_at: Option<Timestamp>,
}

impl Republishing {
    /// The only one's key.
    pub const ID: &'static str = "relay";

    /// Whether the relay is not through with it.
    pub fn is_under_way(&self) -> bool {
        self.finished_at.is_none()
    }
}

impl Document for Republishing {
    const COLLECTION: &'static Collection = &REPUBLISHING;

    fn id(&self) -> String {
        Self::ID.to_owned()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}
