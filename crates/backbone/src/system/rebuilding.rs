//! Rebuilds of projections: what is wanted, how the last one ended, and what it took the place of. The
//! request is a document, so it survives a crash and reaches whichever replica runs the projection.

use kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::DeadLetter;
use crate::collection::{Collection, Column, ColumnKind, ColumnValue};
use crate::document::Document;

/// A record for each projection that was ever rebuilt.
pub const REBUILDS: Collection = Collection { name: "rebuilds", columns: &[], children: &[] };

/// Quarantined keys of read models that were swapped out: their dead letters, kept with them.
pub const SET_ASIDE: Collection = Collection {
    name: "set_aside",
    columns: &[Column::indexed("consumer", ColumnKind::Text)],
    children: &[],
};

/// When what was rebuilt takes the place of what serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SwapWhen {
    /// Where both are the same.
    #[default]
    Equal,
    /// Whatever the comparison finds.
    Always,
    /// Never: the two are only compared.
    Never,
}

/// What is wanted of a projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Aim {
    /// Fold all facts again, compare, and perhaps swap.
    Rebuild(SwapWhen),
    /// Swap back what the last one took the place of.
    RollBack,
}

/// Something that is wanted and not done yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedFor {
    /// What.
    pub aim: Aim,
    /// When it was asked for.
    pub at: Timestamp,
    /// How often it was begun: a process that ends in the middle leaves it to the next.
    pub begun: u32,
}

/// Documents that were found on one side alone, or to be different.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// How many.
    pub count: u64,
    /// The keys of the first ones.
    pub first: Vec<String>,
}

/// How a collection that serves compares with what was rebuilt, both at the same fact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// The collection.
    pub collection: String,
    /// How many documents serve.
    pub live: u64,
    /// How many were rebuilt.
    pub rebuilt: u64,
    /// Those that serve and were not rebuilt.
    pub only_live: Found,
    /// Those that were rebuilt and do not serve.
    pub only_rebuilt: Found,
    /// Those that differ.
    pub differing: Found,
}

impl Compared {
    /// Whether both are the same.
    pub fn is_equal(&self) -> bool {
        self.only_live.count + self.only_rebuilt.count + self.differing.count == 0
    }
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Ending {
    /// What was rebuilt serves; what served before is kept aside.
    Swapped {
        /// From how many facts.
        facts: u64,
        /// What the comparison found.
        compared: Vec<Compared>,
    },
    /// What served goes on serving; what was rebuilt is gone.
    Kept {
        /// From how many facts.
        facts: u64,
        /// What the comparison found.
        compared: Vec<Compared>,
    },
    /// What had served before serves again; what was rebuilt is kept aside.
    RolledBack,
    /// It was given up; what served goes on serving.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A projection's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rebuilding {
    /// The projection.
    pub projection: String,
    /// What is wanted.
    pub asked: Option<AskedFor>,
    /// How the last one ended, and when.
    pub last: Option<(Timestamp, Ending)>,
    /// Since when the read model that served before is kept aside, and kept up.
    pub previous: Option<Timestamp>,
}

impl Rebuilding {
    /// Of a projection that was never rebuilt.
    pub fn of(projection: &str) -> Self {
        Self { projection: projection.to_owned(), asked: None, last: None, previous: None }
    }
}

impl Document for Rebuilding {
    const COLLECTION: &'static Collection = &REBUILDS;

    fn id(&self) -> String {
        self.projection.clone()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

/// A dead letter of a read model that was swapped out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SetAside(pub DeadLetter);

impl Document for SetAside {
    const COLLECTION: &'static Collection = &SET_ASIDE;

    fn id(&self) -> String {
        self.0.id()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.0.consumer.as_str().into()]
    }
}
