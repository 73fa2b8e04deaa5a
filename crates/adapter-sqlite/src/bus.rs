//! The embedded bus: consumers read the log by position, and a publication outside a commit is a
//! commit of its own.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backbone::bus::{Backlog, Bus, Capabilities, Consumer, Delivery, Error, Subscription};
use kernel::Envelope;
use tokio::sync::{oneshot, watch};

use crate::open::Inner;
use crate::queue::Job;
use crate::readers::{FEW_ROWS, Size};
use crate::tail::Tail;
use crate::{error, log, writer};

/// A wake-up is a hint; the log is read all the same after this long (reliability.md, rule 8).
const POLL: Duration = Duration::from_millis(500);
/// Deliveries that can still be given back; older ones count as taken.
const OPEN_MAX: usize = 8_192;
const PUBLISHING: &str = "publishing events";
const FETCHING: &str = "fetching events";
const ENDING: &str = "looking where the log ends";

pub(crate) struct SqliteBus(pub(crate) Arc<Inner>);

#[async_trait]
impl Bus for SqliteBus {
    fn capabilities(&self) -> Capabilities {
        Capabilities { publishes_in_commit: true, reads_by_position: true, partitions: 1 }
    }

    async fn publish(&self, events: Vec<Envelope>) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        if let Some(reason) = log::too_large(&events) {
            return Err(Error::Unavailable { operation: PUBLISHING, reason });
        }
        let (reply, answer) = oneshot::channel();
        self.0.submit(Job::Publish { events, reply });
        let answer = answer.await.unwrap_or_else(|_| Err(error::unavailable(PUBLISHING, writer::GONE)));
        answer.map_err(|e| error::bus(PUBLISHING, e))
    }

    async fn open(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, Error> {
        let tail = self.0.shared.tails.of(subscription.context);
        Ok(Box::new(SqliteConsumer {
            wake: tail.wake.subscribe(),
            inner: self.0.clone(),
            tail,
            context: subscription.context,
            cursor: subscription.after.unwrap_or(0),
            open: VecDeque::new(),
            settled: BTreeSet::new(),
        }))
    }

    async fn end(&self) -> Result<u64, Error> {
        self.0.readers.read(ENDING, Size::Few, log::end).await.map_err(|e| error::bus(ENDING, e))
    }

    async fn backlog(&self, subscription: &Subscription) -> Result<Backlog, Error> {
        const LOOKING: &str = "looking at what waits";
        let (context, after) = (subscription.context, subscription.after.unwrap_or(0));
        if let Some(found) = self.0.shared.tails.of(context).backlog(after) {
            return Ok(found);
        }
        let read = move |conn: &rusqlite::Connection| log::backlog(conn, context, after);
        self.0.readers.read(LOOKING, Size::Few, read).await.map_err(|e| error::bus(LOOKING, e))
    }
}

struct SqliteConsumer {
    inner: Arc<Inner>,
    tail: Arc<Tail>,
    wake: watch::Receiver<u64>,
    context: &'static str,
    /// Everything of the context up to here was fetched.
    cursor: u64,
    /// Fetched, neither acknowledged nor given back.
    open: VecDeque<u64>,
    /// Acknowledged before others that stand before them: not delivered again after a give-back.
    settled: BTreeSet<u64>,
}

impl SqliteConsumer {
    /// What stands after the cursor, from memory where it is there and from the file otherwise.
    async fn look(&mut self, limit: usize, from_file: bool) -> Result<Vec<Delivery>, Error> {
        if !from_file && let Some(found) = self.tail.after(self.cursor, limit) {
            return Ok(found);
        }
        // A poll finds nothing nearly always, so it is made small enough to be inline.
        let limit = if from_file { limit.min(FEW_ROWS) } else { limit };
        let (context, cursor) = (self.context, self.cursor);
        // Whatever is durable now is seen by the read that begins after this line.
        let durable = self.inner.shared.tails.durable();
        let read = move |conn: &rusqlite::Connection| log::after(conn, context, cursor, limit);
        let found = self.inner.readers.read(FETCHING, Size::of(limit), read).await;
        let found = found.map_err(|e| error::bus(FETCHING, e))?;
        if found.is_empty() {
            // Nothing of this context stands up to there, so the tail may go on from there.
            self.cursor = cursor.max(durable);
        }
        let delivery = |(position, envelope)| Delivery { envelope: Arc::new(envelope), position };
        Ok(found.into_iter().map(delivery).collect())
    }

    /// Moves past what is delivered, without what was settled before a give-back.
    fn deliver(&mut self, mut found: Vec<Delivery>) -> Vec<Delivery> {
        if let Some(last) = found.last() {
            self.cursor = self.cursor.max(last.position);
        }
        if !self.settled.is_empty() {
            found.retain(|delivery| !self.settled.contains(&delivery.position));
        }
        self.open.extend(found.iter().map(|delivery| delivery.position));
        let excess = self.open.len().saturating_sub(OPEN_MAX);
        self.open.drain(..excess);
        found
    }
}

#[async_trait]
impl Consumer for SqliteConsumer {
    async fn fetch(&mut self, limit: usize) -> Result<Vec<Delivery>, Error> {
        let limit = limit.max(1);
        let mut from_file = false;
        loop {
            // Before looking: what comes afterwards wakes.
            self.wake.borrow_and_update();
            let found = self.look(limit, from_file).await?;
            if !found.is_empty() {
                let found = self.deliver(found);
                if !found.is_empty() {
                    return Ok(found);
                }
                continue;
            }
            from_file = tokio::time::timeout(POLL, self.wake.changed()).await.is_err();
        }
    }

    async fn acknowledge(&mut self, positions: &[u64]) -> Result<(), Error> {
        for position in positions {
            if self.open.front() == Some(position) {
                self.open.pop_front();
            } else if let Ok(index) = self.open.binary_search(position) {
                self.open.remove(index);
                self.settled.insert(*position);
            }
        }
        if let Some(first) = self.open.front() {
            self.settled = self.settled.split_off(first);
        }
        Ok(())
    }

    async fn give_back(&mut self) -> Result<(), Error> {
        if let Some(first) = self.open.front() {
            self.cursor = first - 1;
            self.settled = self.settled.split_off(first);
        }
        self.open.clear();
        Ok(())
    }
}
