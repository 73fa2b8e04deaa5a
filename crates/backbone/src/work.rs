//! A unit of work: a decision, with what the engine needs to run it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;

use crate::outcome::{Refusal, Rejection};
use crate::workspace::Workspace;

/// Who waits first when several decisions wait for the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub enum Priority {
    /// First.
    Vip,
    /// Before the usual.
    High,
    /// The usual.
    #[default]
    Normal,
}

/// What caused a decision; it travels on into every event that the decision makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The whole business flow.
    pub correlation_id: String,
    /// The event or command that caused it.
    pub causation_id: String,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

/// A caller's idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Scope and key: `POST /api/orders|<caller>|<Idempotency-Key>`.
    pub key: String,
    /// Stable hash of the request.
    pub fingerprint: u64,
}

/// The decision itself. May be run several times: until all state it needs is loaded, and again
/// after a conflict. It is synchronous, does no I/O, and leaves no trace but in the workspace.
/// Its value is the answer to the caller.
pub type Decision = Arc<dyn Fn(&mut Workspace<'_>) -> Result<Value, Refusal> + Send + Sync>;

/// A unit of work.
#[derive(Clone)]
pub struct Work {
    /// What it is, for logs: `place-order`.
    pub name: &'static str,
    /// Who waits first.
    pub priority: Priority,
    /// What caused it.
    pub origin: Origin,
    /// The caller's idempotency key; its answer is kept.
    pub idempotency: Option<Idempotency>,
    /// The decision.
    pub decision: Decision,
}

impl Work {
    /// A unit of work with a decision.
    pub fn new(
        name: &'static str,
        origin: Origin,
        decision: impl Fn(&mut Workspace<'_>) -> Result<Value, Refusal> + Send + Sync + 'static,
    ) -> Self {
        Self { name, priority: Priority::Normal, origin, idempotency: None, decision: Arc::new(decision) }
    }

    /// Sets the priority.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn idempotent(mut self, idempotency: Option<Idempotency>) -> Self {
        self.idempotency = idempotency;
        self
    }
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("name", &self.name).field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// A unit of work that took effect, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The decision's value as JSON; the first one's, where the idempotency key was used before.
    pub answer: Bytes,
    /// A position in the log to wait for.
    pub position: u64,
    /// The key was used before: nothing was done again.
    pub repeated: bool,
}

/// Why a unit of work took no effect.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The domain's no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The idempotency key was used before with another request.
    #[error("this idempotency key was used before with another request: take a new key for a new request")]
    KeyReused,
    /// The store is down; the work may or may not have taken effect: try again with the same
    /// idempotency key.
    #[error("not available just now: {0}")]
    Unavailable(String),
    /// A defect.
    #[error("{0}")]
    Failed(String),
}

/// Runs work: the engine's door for everything that changes state.
#[async_trait]
pub trait Commands: Send + Sync + 'static {
    /// Decides, commits, and answers when it is durable.
    async fn execute(&self, work: Work) -> Result<Done, Error>;

    /// The answer given before under this idempotency key, so that a repeated request costs
    /// nothing but this look.
    async fn answered(&self, idempotency: &Idempotency) -> Result<Option<Done>, Error>;
}
