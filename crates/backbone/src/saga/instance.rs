//! A running saga, as it is kept: persisted after every step, resumed after a crash.

use std::fmt::Debug;

use kernel::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::Answer;
use crate::collection::{Collection, Column, ColumnKind, ColumnValue};
use crate::document::Document;

/// Where sagas are kept. Finished ones stay as tombstones.
pub const SAGAS: Collection = Collection {
    name: "sagas",
    columns: &[
        Column::indexed("saga", ColumnKind::Text),
        Column::indexed("phase", ColumnKind::Text),
        Column::plain("step", ColumnKind::Text),
        Column::indexed("calling", ColumnKind::Bool),
        Column::indexed("updated_at", ColumnKind::Timestamp),
    ],
    children: &["timeline"],
};

/// Where a saga is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Going forward.
    Running,
    /// Undoing.
    Compensating,
    /// Waits for an operator: something cannot be undone, or cannot go on.
    Blocked,
    /// Ended: all steps succeeded.
    Completed,
    /// Ended: all that had been done was undone.
    Compensated,
}

impl Phase {
    /// Its name in columns and answers.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Running => "running",
            Phase::Compensating => "compensating",
            Phase::Blocked => "blocked",
            Phase::Completed => "completed",
            Phase::Compensated => "compensated",
        }
    }

    /// True where nothing will happen any more.
    pub fn is_final(self) -> bool {
        matches!(self, Phase::Completed | Phase::Compensated)
    }
}

/// What the current step is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Its answer is awaited.
    Running,
    /// It waits for somebody (3-D Secure), longer than its limit.
    Waiting,
    /// It failed and waits to be tried again.
    Retrying,
    /// Its answer was unknown; it was asked for.
    Asking,
}

/// How far the undoing of a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndoStatus {
    /// Its turn has not come.
    Pending,
    /// Its answer is awaited.
    Running,
    /// It failed and waits to be tried again.
    Retrying,
    /// It is undone.
    Done,
    /// Its budget is used up: an operator is needed.
    Blocked,
    /// An operator passed over it.
    Skipped,
}

/// The undoing of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UndoState {
    /// The step.
    pub step: String,
    /// How far it is.
    pub status: UndoStatus,
    /// How often it was tried.
    pub attempts: u32,
}

/// A line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Which step; `undo:<step>` for its undoing.
    pub step: String,
    /// What happened: started, succeeded, failed, unknown, waiting, retrying …
    pub what: String,
    /// Why, where there is more to say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

/// A call that was decided and not answered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedCall<C> {
    /// Names it: the idempotency key at the other side is made of it.
    pub key: String,
    /// The step that wants it.
    pub step: String,
    /// Wanted for undoing the step.
    pub undo: bool,
    /// What is asked.
    pub call: C,
}

/// A call for the engine to make.
#[derive(Clone, Debug)]
pub struct PendingCall {
    /// The saga's name.
    pub saga: &'static str,
    /// Which instance.
    pub id: Uuid,
    /// The call's key.
    pub key: String,
    /// What is asked.
    pub call: Value,
    /// The business flow.
    pub correlation_id: String,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
}

/// A running saga.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance<D, C> {
    /// The saga's name.
    pub saga: String,
    /// Which instance: the order's id, say.
    pub id: Uuid,
    /// The definition it runs on.
    pub version: u32,
    /// The business flow.
    pub correlation_id: String,
    /// The trace context of what started it. Records of older programs have none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub traceparent: Option<String>,
    /// Where it is in its life.
    pub phase: Phase,
    /// The current step's index.
    pub step: usize,
    /// The current step's name.
    pub step_name: String,
    /// What the current step is doing.
    pub state: StepState,
    /// How often the current step began.
    pub attempt: u32,
    /// Which part of the current attempt.
    #[serde(default)]
    pub part: u32,
    /// The next deadline.
    pub due: Option<Timestamp>,
    /// Grows with each transition: a timer of an older one does nothing.
    pub generation: u64,
    /// What is undone, in order.
    pub undo: Vec<UndoState>,
    /// Calls decided and not answered.
    pub calls: Vec<RecordedCall<C>>,
    /// Answers that came before their step began.
    pub held: Vec<Answer>,
    /// Why it was abandoned or is blocked.
    pub reason: Option<String>,
    /// What it remembers.
    pub data: D,
    /// What happened.
    pub timeline: Vec<Entry>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Any saga's instance, for those who only look.
pub type AnyInstance = Instance<Value, Value>;

impl<D, C> Instance<D, C> {
    /// Its key among all sagas of the service.
    pub fn key(saga: &str, id: Uuid) -> String {
        format!("{saga}/{id}")
    }

    pub(crate) fn note(&mut self, at: Timestamp, step: &str, what: &str, detail: Option<String>) {
        self.timeline.push(Entry { at, step: step.to_owned(), what: what.to_owned(), detail });
    }
}

impl<D, C> Document for Instance<D, C>
where
    D: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
    C: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    const COLLECTION: &'static Collection = &SAGAS;

    fn id(&self) -> String {
        Self::key(&self.saga, self.id)
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![
            self.saga.as_str().into(),
            self.phase.name().into(),
            self.step_name.as_str().into(),
            (!self.calls.is_empty()).into(),
            self.updated_at.into(),
        ]
    }
}
