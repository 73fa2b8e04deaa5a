//! The bus: how public events travel. Small on purpose: retries, parking and dead letters are
//! the engine's, kept in the consumer's journal, so that every bus behaves alike.

use std::sync::Arc;

use async_trait::async_trait;
use kernel::Envelope;

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
}

/// What a bus can do beyond the common promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Publishing is part of the journal's commit: there is no relay.
    pub publishes_in_commit: bool,
    /// Deliveries have positions, and a consumer's checkpoint is one: there is no inbox.
    pub reads_by_position: bool,
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
    /// Continue after this position (a bus that reads by position), or from the broker's own
    /// mark where it is `None`.
    pub after: Option<u64>,
}

/// An event that arrived.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The event, personal fields encrypted.
    pub envelope: Arc<Envelope>,
    /// Its place in the log, on a bus that reads by position; otherwise a number that the
    /// consumer settles it by.
    pub position: u64,
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

    /// Opens a consumer.
    async fn open(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, Error>;
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
