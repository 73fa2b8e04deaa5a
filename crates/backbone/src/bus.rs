//! The bus: how public events travel. Small on purpose: retries, parking and dead letters are
//! the engine's, kept in the consumer's journal, so that every bus behaves alike.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use kernel::{Envelope, Timestamp};

use crate::journal::Sent;

/// Why the bus could not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The broker is down or unreachable.
    #[error("the bus is unavailable while {operation}: {reason}")]
    Unavailable {
        /// What was attempted.
        operation: &'static str,
        /// What the broker said.
        reason: String,
    },
    /// The broker took the message but could give it to nobody.
    #[error("no queue takes {0}")]
    Unroutable(String),
    /// The broker has lost, by its limits, what this consumer has not had. It stands still rather
    /// than go on in silence: the producers' journals have the events. Whoever has caught up from
    /// them opens the consumer again with `after: Some(to)`. A broker without positions says 0, and
    /// so it does of a consumer that is new, where it keeps nothing from before that.
    #[error("{consumer} has not had the positions {from} to {to}, and the broker has them no more")]
    Gap {
        /// `order-inventory`.
        consumer: String,
        /// The first position that is missing.
        from: u64,
        /// The last one.
        to: u64,
    },
}

/// What a bus can do beyond the common promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Publishing is part of the journal's commit: there is no relay.
    pub publishes_in_commit: bool,
    /// Deliveries have positions, and a consumer's checkpoint is one: there is no inbox.
    pub reads_by_position: bool,
    /// Over how many partitions the subjects of a context are spread; each has its own reader.
    pub partitions: u32,
}

/// Who reads what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// `order-inventory`: unique, durable.
    pub consumer: String,
    /// The reading service.
    pub service: &'static str,
    /// The context whose events are read: `inventory`.
    pub context: &'static str,
    /// Which partition, from 0.
    pub partition: u32,
    /// Continue after this position (a bus that reads by position), or from the broker's own
    /// mark where it is `None`.
    pub after: Option<u64>,
}

/// The partition of a subject: the same for ever, on every bus (reliability.md, rule 18).
pub fn partition_of(subject: &str, partitions: u32) -> u32 {
    (kernel::stable_hash(subject.as_bytes()) % u64::from(partitions.max(1))) as u32
}

/// An event that arrived.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The event, personal fields encrypted.
    pub envelope: Arc<Envelope>,
    /// Its place in the log, on a bus that reads by position; otherwise a number that the
    /// consumer settles it by, good for as long as this reader is open: a broker that lost its
    /// storage may begin at 1 again. The engine numbers what it parks by itself.
    pub position: u64,
}

/// How far a backlog is counted: what is longer is given as this.
pub const BACKLOG_COUNTED_MAX: u64 = 10_000;

/// What waits for a consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many events, counted up to `BACKLOG_COUNTED_MAX`.
    pub waiting: u64,
    /// When the oldest of them was published; `None` where none waits, or where the broker does
    /// not say.
    pub oldest: Option<Timestamp>,
}

/// A message that lies in the broker's own dead letters: nobody could read it, or the broker gave
/// it up after its own limit. That is a net below the dead letters of the consumer's journal.
#[derive(Clone, Debug)]
pub struct GivenUp {
    /// What `forget` takes: good for as long as the bus lives.
    pub handle: u64,
    /// What it was published under: `order.created.v1`.
    pub kind: String,
    /// Why it lies there.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
    /// The event, where it can be read.
    pub event: Option<Arc<Envelope>>,
    /// Its attributes as they came.
    pub headers: Vec<(String, String)>,
    /// Its payload as it came.
    pub body: Bytes,
}

/// The broker lost what it held of a context: its storage is gone, and it begins anew. Consumers
/// that had not had everything miss something until that is published again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The context whose events it held: `order`.
    pub context: String,
    /// When that was noticed.
    pub at: Timestamp,
}

/// Carries public events from services to services.
///
/// Promises: at least once; in order per (producer, subject); durable when `publish` returns;
/// an event that nobody can receive is an error, not a loss.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Publishes a batch, in order. An error is *unknown* for the whole batch: publish again
    /// with the same ids.
    async fn publish(&self, events: Vec<Envelope>) -> Result<(), Error>;

    /// Publishes again what was published before, for a broker that lost it or a consumer that
    /// missed it: past any window in which the broker would take it for a duplicate. The events'
    /// ids stay, so that inboxes know them.
    async fn republish(&self, events: Vec<Envelope>) -> Result<(), Error> {
        self.publish(events).await
    }

    /// Publishes, or publishes again, what stands in the producer's journal. A broker that gives back
    /// in another order than it took may keep the places, to put it in order by them.
    async fn relay(&self, sent: Vec<Sent>, is_again: bool) -> Result<(), Error> {
        let events = sent.into_iter().map(|sent| sent.envelope).collect();
        if is_again { self.republish(events).await } else { self.publish(events).await }
    }

    /// What this process has seen the broker lose.
    fn lost(&self) -> Vec<Lost> {
        Vec::new()
    }

    /// Makes sure that these consumers are there, before anything is published: whatever comes from
    /// now on is kept for them, also for those that begin with what comes next.
    async fn declare(&self, _: &[Subscription]) -> Result<(), Error> {
        Ok(())
    }

    /// Opens a consumer. Of several that open the same one, the last is served.
    async fn open(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, Error>;

    /// Whether the broker has a mark of this consumer: it is there, and was opened since it was made.
    /// One that has read before and is not known was deleted at the broker, where it would begin
    /// anew.
    async fn knows(&self, _: &Subscription) -> Result<bool, Error> {
        Ok(true)
    }

    /// The last position that the broker took in before `at`, 0 where there is none: from where on a
    /// consumer that it does not know any more reads again.
    async fn position_before(&self, _: &Subscription, _at: Timestamp) -> Result<u64, Error> {
        Ok(0)
    }

    /// Where the log ends by now, on a bus that is read by position.
    async fn end(&self) -> Result<u64, Error> {
        Ok(0)
    }

    /// What waits for a consumer, whether it is open or not: the events after `after` where
    /// positions are checkpoints; otherwise those that no `fetch` has given yet, and those that
    /// are to be given again. It is a look: it changes nothing, and an answer means that the bus
    /// can be reached.
    async fn backlog(&self, subscription: &Subscription) -> Result<Backlog, Error>;

    /// The oldest messages for this consumer that lie in the broker's own dead letters, at most
    /// `limit`; they stay there until they are forgotten. A bus without any has none.
    async fn given_up(&self, _: &Subscription, _limit: usize) -> Result<Vec<GivenUp>, Error> {
        Ok(Vec::new())
    }

    /// Removes messages from the broker's own dead letters: they took effect, or the consumer's
    /// journal has them now.
    async fn forget(&self, _: &Subscription, _handles: &[u64]) -> Result<(), Error> {
        Ok(())
    }
}

/// One reader of one context.
#[async_trait]
pub trait Consumer: Send {
    /// The next deliveries, at least one and at most `limit`; waits until there are some. The
    /// wait may be dropped at any time without losing a delivery.
    async fn fetch(&mut self, limit: usize) -> Result<Vec<Delivery>, Error>;

    /// Tells the bus that these took effect, durably (no-op where positions are checkpoints).
    async fn acknowledge(&mut self, positions: &[u64]) -> Result<(), Error>;

    /// Gives back what was fetched and not acknowledged: it is delivered again.
    async fn give_back(&mut self) -> Result<(), Error>;
}
