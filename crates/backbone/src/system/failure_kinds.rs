//! The kinds of failure that ended in a dead letter: each is told to the operators once.

use kernel::{ErrorKind, Timestamp, stable_hash};
use serde::{Deserialize, Serialize};

use super::DeadLetter;
use crate::collection::{Collection, Column, ColumnKind, ColumnValue};
use crate::document::Document;

/// All that were ever seen.
pub const FAILURE_KINDS: Collection = Collection {
    name: "failure_kinds",
    columns: &[Column::indexed("first_at", ColumnKind::Timestamp)],
    children: &[],
};

/// A kind of failure: consumer, place and error, without what differs from event to event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureKind {
    /// Where: the consumer.
    pub consumer: String,
    /// Where: the type of the event.
    pub kind: String,
    /// What kind of error.
    pub error_kind: ErrorKind,
    /// The error of the first one.
    pub error: String,
    /// When it was first seen.
    pub first_at: Timestamp,
}

impl FailureKind {
    /// The kind that a dead letter is of.
    pub fn of(letter: &DeadLetter) -> Self {
        Self {
            consumer: letter.consumer.clone(),
            kind: letter.event.kind.clone(),
            error_kind: letter.error_kind,
            error: letter.error.clone(),
            first_at: letter.moved_at,
        }
    }
}

/// An error without numbers and ids: whatever has a digit in it is one word.
fn shape(error: &str) -> String {
    let word = |word: &str| {
        if word.contains(|c: char| c.is_ascii_digit()) { "#".to_owned() } else { word.to_owned() }
    };
    error.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

impl Document for FailureKind {
    const COLLECTION: &'static Collection = &FAILURE_KINDS;

    fn id(&self) -> String {
        let shape = format!("{:?} {}", self.error_kind, shape(&self.error));
        format!("{}/{}/{:016x}", self.consumer, self.kind, stable_hash(shape.as_bytes()))
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.first_at.into()]
    }
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn a_kind_of_failure_does_not_depend_on_ids_and_numbers() {
        let first = shape("order 0190a1b2-0000-7000 has 3 items");
        assert_eq!(first, shape("order 0190ffff-1111-7000 has 12 items"));
        assert_ne!(first, shape("order 0190ffff-1111-7000 has no items"));
    }
}
