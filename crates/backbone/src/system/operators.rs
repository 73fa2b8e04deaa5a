//! What operators did: each act stands in the journal that it changed, in the same commit.

use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::collection::{Collection, Column, ColumnKind, ColumnValue};
use crate::document::Document;

/// What operators did.
pub const OPERATOR_ACTS: Collection = Collection {
    name: "operator_acts",
    columns: &[Column::indexed("at", ColumnKind::Timestamp), Column::indexed("about", ColumnKind::Text)],
    children: &[],
};

/// One act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorAct {
    /// Its own.
    pub id: Uuid,
    /// The operator; `engine` for what the engine does by itself.
    pub who: String,
    /// `retry`, `discard`, `republish`, …
    pub what: String,
    /// The dead letter, the service, the saga.
    pub about: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// What came of it in this commit.
    pub outcome: String,
    /// When.
    pub at: Timestamp,
}

impl Document for OperatorAct {
    const COLLECTION: &'static Collection = &OPERATOR_ACTS;

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.at.into(), self.about.as_str().into()]
    }
}
