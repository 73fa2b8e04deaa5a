//! The journal: where a service's state is kept.

use async_trait::async_trait;
use bytes::Bytes;
use kernel::Timestamp;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::collection::{Collection, Query};
use crate::commit::{Answer, Commit, Fence, Outcome, Snapshot, StoredEvent};

/// Why the journal could not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The store is down, full or unreachable; nothing is known to be wrong with the request.
    #[error("the store is unavailable while {operation}: {reason}")]
    Unavailable {
        /// What was attempted.
        operation: &'static str,
        /// What the store said.
        reason: String,
    },
    /// The store holds what this program cannot read: damage, or another version's data.
    #[error("the store cannot be used: {0}")]
    Unusable(String),
    /// The commit itself is wrong: an event too large, an append of nothing, a column too few.
    #[error("the commit is malformed: {0}")]
    Malformed(String),
}

/// What a service keeps, declared once when its journal is opened.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The service's name; its tables carry it as prefix.
    pub service: &'static str,
    /// Its collections, the engine's own included.
    pub collections: Vec<&'static Collection>,
}

/// Opens journals. A handle reaches the tables of its own service and no others.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// Makes what is missing and gives the service's handle.
    async fn open(&self, schema: Schema) -> Result<std::sync::Arc<dyn Journal>, Error>;

    /// The public events of any service of this store after `position`, at most `limit`, in commit
    /// order; none of a service that has never been opened. They are for all to read, and this is
    /// how a consumer catches up with what its broker lost.
    async fn published_by(&self, service: &str, after: u64, limit: usize) -> Result<Vec<Sent>, Error>;

    /// True where other processes may write to the same journals at the same time: what was read
    /// before may be stale, and what one alone may do is done under a lease.
    fn is_shared(&self) -> bool;
}

/// Something whose current state is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// A stream: its latest snapshot and the events after it.
    Stream(String),
    /// A document.
    Document(&'static Collection, String),
    /// A document of a collection's shadow.
    Shadow(&'static Collection, String),
}

/// The state that was wanted.
#[derive(Clone, Debug)]
pub enum Stored {
    /// For `Want::Stream`; both empty where it was never written.
    Stream {
        /// The latest snapshot.
        snapshot: Option<Snapshot>,
        /// The events after it (all, where there is none).
        events: Vec<StoredEvent>,
    },
    /// For `Want::Document` and `Want::Shadow`; `None` where there is none.
    Document(Option<StoredDocument>),
}

/// A document as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDocument {
    /// Its key.
    pub id: String,
    /// How often it was written.
    pub version: u64,
    /// The person whom encrypted fields are about.
    pub person: Option<Uuid>,
    /// JSON, personal fields encrypted.
    pub body: Bytes,
}

/// An event with its place in the service's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Grows in commit order, with gaps.
    pub position: u64,
    /// The stream it belongs to.
    pub stream: String,
    /// The event.
    pub event: StoredEvent,
}

/// A public event with its place in the service's own log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Grows in commit order, with gaps.
    pub position: u64,
    /// The event, personal fields encrypted.
    pub envelope: kernel::Envelope,
}

/// Which of a service's public events are sought; all that is said holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// They stand after this position …
    pub after: u64,
    /// … and not after this one.
    pub upto: u64,
    /// Of this type.
    pub kind: Option<String>,
    /// Of this key.
    pub subject: Option<String>,
    /// Of this business flow.
    pub correlation: Option<String>,
    /// Published at this time or later.
    pub from: Option<Timestamp>,
    /// At most so many.
    pub limit: usize,
}

impl Sought {
    /// Whether an event is sought, its place aside.
    pub fn wants(&self, event: &kernel::Envelope) -> bool {
        let is = |sought: &Option<String>, found: &str| sought.as_deref().is_none_or(|s| s == found);
        is(&self.kind, &event.kind)
            && is(&self.subject, &event.subject)
            && is(&self.correlation, &event.correlation_id)
            && self.from.is_none_or(|from| event.time >= from)
    }
}

/// Somebody wants to be the only one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRequest {
    /// What for: `relay`, `timers`, `order-inventory/0`.
    pub name: String,
    /// Who: one id for each run of a process.
    pub owner: Uuid,
    /// For how long from now, by the store's clock, unless it is renewed.
    pub lasts: kernel::Duration,
}

/// What may be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prune {
    /// Answers that were given before this moment.
    pub answers_before: Timestamp,
    /// Deliveries that were claimed before this moment, by the store's clock.
    pub inbox_before: Timestamp,
    /// At most so many of each.
    pub limit: usize,
}

/// How much was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Answers.
    pub answers: usize,
    /// Claims of deliveries.
    pub claims: usize,
}

/// The answer to a submitted commit, in the future.
pub type Submission = oneshot::Receiver<Result<Outcome, Error>>;

/// A service's store of streams, documents, answers and checkpoints.
///
/// Promises, each proven by the conformance suite:
/// - A commit is written entirely or not at all, and `Committed` means that it is durable.
/// - Commits take effect in the order in which `submit` was called.
/// - Appending to a version that a stream does not have is a conflict; so is a put, delete or
///   guard on another version, a checkpoint that is not at `from`, and building on a commit that
///   failed. A conflict leaves no trace and does not
///   disturb the commits beside it.
/// - A commit whose lease was taken over is fenced: nothing of it is written, however late it
///   comes.
/// - Deliveries that were claimed before are named, all of them, and nothing is written; that
///   outweighs a conflict over versions.
/// - A used idempotency key is a duplicate and gives the first answer, and a claim holds, until
///   `prune` is told that they are old enough; it forgets nothing else, and nothing younger.
/// - Nothing can be read before it is durable.
/// - Positions grow in commit order: a reader that pages by position misses nothing.
/// - An append of nothing is malformed, and so is an event above `MAX_DATA_BYTES`.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Queues a commit. An error in the answer is *unknown*: the commit may have been written.
    fn submit(&self, commit: Commit) -> Submission;

    /// Says what `submit` would say of this commit just now, and leaves no trace of it: everything
    /// is written and rolled back. What commits in flight will change is not seen.
    async fn rehearse(&self, commit: Commit) -> Result<Outcome, Error>;

    /// The current state of each thing wanted, in order: one round trip for all.
    async fn load(&self, wants: Vec<Want>) -> Result<Vec<Stored>, Error>;

    /// The documents that match.
    async fn find(&self, query: Query) -> Result<Vec<StoredDocument>, Error>;

    /// The answer kept under an idempotency key.
    async fn answer(&self, key: &str) -> Result<Option<Answer>, Error>;

    /// A stream's events after `version`, at most `limit`.
    async fn history(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<StoredEvent>, Error>;

    /// All of the service's events after `position`, at most `limit`, in commit order.
    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, Error>;

    /// The service's public events after `position`, at most `limit`, in commit order: what a
    /// relay publishes, and what is published again.
    async fn outgoing(&self, after: u64, limit: usize) -> Result<Vec<Sent>, Error>;

    /// Those of the service's public events that are sought, in commit order. A flow is looked up, from
    /// wherever to wherever; what has only another mark is found by reading all that stands between
    /// `after` and `upto`: keep these near each other.
    async fn published(&self, sought: Sought) -> Result<Vec<Sent>, Error>;

    /// Takes a lease that is free or has run out, or renews one's own: gives its token, or `None`
    /// while another holds it. A token is kept by renewing in time and grows with each new holder.
    async fn lease(&self, request: LeaseRequest) -> Result<Option<u64>, Error>;

    /// Gives a lease back before its time; nothing happens where another holds it by now.
    async fn release(&self, fence: Fence) -> Result<(), Error>;

    /// Those of `events` that a consumer's inbox has claimed, in the order asked.
    async fn claimed(&self, consumer: &str, events: &[Uuid]) -> Result<Vec<Uuid>, Error>;

    /// Where a consumer or projection stands; 0 where it never began.
    async fn checkpoint(&self, consumer: &str) -> Result<u64, Error>;

    /// Forgets answers and claims that are old enough, at most a number of each, the oldest first.
    /// Streams, documents, public events and checkpoints are not touched: they are the record.
    async fn prune(&self, prune: Prune) -> Result<Pruned, Error>;

    /// Makes, swaps in or drops the shadows of the collections of a projection: all of them, in one
    /// transaction.
    async fn shadow(
        &self,
        collections: &'static [&'static Collection],
        step: ShadowStep,
    ) -> Result<(), Error>;
}

/// The steps of a rebuild (reliability.md, rule 20). Shadows stand somewhere like collections do: under
/// a checkpoint of their own, which the commits that write them move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShadowStep {
    /// Make empty shadows, replacing what was there, which stand at the beginning.
    Begin {
        /// Their checkpoint.
        shadow: String,
    },
    /// Change nothing: malformed where a collection has no shadow.
    Look,
    /// Shadows and collections change places, provided that both stand at the same position. What was
    /// the collection is its shadow afterwards, so that the same step again is the way back.
    Swap {
        /// The checkpoint of the collections.
        consumer: String,
        /// The checkpoint of the shadows.
        shadow: String,
        /// The lease under which this is done: where it was taken over since, nothing is changed.
        fence: Option<Fence>,
    },
    /// Forget the shadows and where they stood.
    Drop {
        /// Their checkpoint.
        shadow: String,
    },
}
