//! A broker: keeps a queue per consumer and partition, remembers what was acknowledged, delivers at
//! least once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use backbone::bus::{Consumer, Delivery, Error, GivenUp, Subscription};
use bytes::Bytes;
use kernel::{Envelope, Timestamp};

use crate::bus::{FETCHING, before_fetch, unavailable};
use crate::disk::Disk;
use crate::plight::Side;
use crate::process::Process;
use crate::shared::Shared;

/// A partition's events, as the broker keeps them.
pub(crate) struct Shelf<'l> {
    pub(crate) events: &'l [(u64, Arc<Envelope>)],
    /// How many of them are gone by its limit.
    pub(crate) gone: usize,
    /// Whether nothing is delivered for now.
    pub(crate) is_held: bool,
    /// The last number under which anything was delivered.
    pub(crate) numbers: &'l mut u64,
}

/// What the broker knows of a consumer; it outlives the processes.
#[derive(Clone, Default)]
pub(crate) struct Queue {
    /// How many of the partition's events were delivered at least once.
    next: usize,
    /// To be delivered again, before what is new.
    returned: BTreeSet<usize>,
    /// Delivered under a number and not acknowledged.
    open: BTreeMap<u64, usize>,
    /// How often it was opened; only the last one who did is served.
    opened: u64,
    /// What was given up on.
    pub(crate) given_up: Vec<GivenUp>,
}

impl Queue {
    fn give_back(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.returned.extend(open.into_values());
    }

    /// A new one, after so many events.
    pub(crate) fn from_now(events: usize) -> Self {
        Self { next: events, ..Self::default() }
    }

    /// Whether anybody has read it since it was made.
    pub(crate) fn was_opened(&self) -> bool {
        self.opened > 0
    }

    /// Its reader's connection breaks.
    pub(crate) fn break_off(&mut self) {
        self.give_back();
        self.opened += 1;
    }

    /// How many events wait, and when the oldest was published.
    pub(crate) fn waiting(&self, events: &[(u64, Arc<Envelope>)]) -> (usize, Option<Timestamp>) {
        let first = self.returned.first().copied().unwrap_or(self.next);
        let new = events.len().saturating_sub(self.next);
        (self.returned.len() + new, events.get(first).map(|(_, envelope)| envelope.time))
    }

    /// Where the broker's limit overtook the consumer, the places that it misses, from 1.
    fn gap(&self, gone: usize) -> Option<(u64, u64)> {
        let first = self.returned.first().copied().unwrap_or(self.next).min(self.next);
        (first < gone).then_some((first as u64 + 1, gone as u64))
    }

    /// What stands up to `place` took effect elsewhere.
    fn pass(&mut self, place: u64) {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        self.returned = self.returned.split_off(&place);
        self.next = self.next.max(place);
    }

    /// Everything that it was to deliver is gone, and so is its mark; whoever reads it hears that.
    pub(crate) fn lose(&mut self) {
        *self = Self { opened: self.opened + 1, ..Self::default() };
    }

    /// Gives up on the next messages; gives how many there were.
    pub(crate) fn give_up(&mut self, shelf: Shelf<'_>, count: usize, at: Timestamp) -> usize {
        let taken = self.take(shelf, count);
        for delivery in &taken {
            self.open.remove(&delivery.position);
            let envelope = &delivery.envelope;
            self.given_up.push(GivenUp {
                handle: delivery.position,
                kind: envelope.kind.clone(),
                reason: "delivered too often".to_owned(),
                at,
                event: Some(envelope.clone()),
                headers: Vec::new(),
                body: envelope.data.clone(),
            });
        }
        taken.len()
    }

    /// Keeps a message that nobody can read.
    pub(crate) fn keep_unreadable(&mut self, handle: u64, kind: &str, body: Bytes, at: Timestamp) {
        self.given_up.push(GivenUp {
            handle,
            kind: kind.to_owned(),
            reason: "it is no event".to_owned(),
            at,
            event: None,
            headers: vec![("x-origin".to_owned(), "elsewhere".to_owned())],
            body,
        });
    }

    /// The next deliveries, each under a number of its own: parked deliveries of all partitions are
    /// kept in that order.
    fn take(&mut self, Shelf { events, numbers, .. }: Shelf<'_>, limit: usize) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        while deliveries.len() < limit {
            let index = match self.returned.pop_first() {
                Some(index) => index,
                None if self.next < events.len() => {
                    self.next += 1;
                    self.next - 1
                }
                None => break,
            };
            *numbers += 1;
            self.open.insert(*numbers, index);
            deliveries.push(Delivery { envelope: events[index].1.clone(), position: *numbers });
        }
        deliveries
    }
}

pub(crate) struct BrokerConsumer {
    shared: Arc<Shared>,
    process: Arc<Process>,
    subscription: Subscription,
    opened: u64,
}

/// Whose queue a consumer reads.
pub(crate) fn place(subscription: &Subscription) -> (String, u32) {
    (subscription.consumer.clone(), subscription.partition)
}

impl BrokerConsumer {
    /// Takes the consumer over: what the one before did not acknowledge comes again.
    pub(crate) fn open(
        shared: Arc<Shared>,
        process: Arc<Process>,
        subscription: Subscription,
    ) -> Result<Self, Error> {
        let opened = {
            let mut inside = shared.lock();
            let Disk { queues, log, .. } = &mut inside.disk;
            let queue = queues.entry(place(&subscription)).or_default();
            queue.give_back();
            queue.pass(subscription.after.unwrap_or(0));
            if let Some((from, to)) = queue.gap(log.gone(subscription.context, subscription.partition)) {
                return Err(Error::Gap { consumer: subscription.consumer, from, to });
            }
            queue.opened += 1;
            queue.opened
        };
        shared.news.notify_waiters();
        Ok(Self { shared, process, subscription, opened })
    }

    /// Does something with the queue, where this is still its reader and can reach it.
    fn with<T>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&mut Queue, Shelf<'_>) -> T,
    ) -> Result<T, Error> {
        if self.process.is_dead() {
            return Err(unavailable(operation, "the process is dead"));
        }
        if self.process.plight.is_cut(Side::Broker) {
            return Err(unavailable(operation, "cut off"));
        }
        let mut inside = self.shared.lock();
        let Disk { queues, log, deliveries, .. } = &mut inside.disk;
        let queue = queues.entry(place(&self.subscription)).or_default();
        if queue.opened != self.opened {
            return Err(unavailable(operation, "the connection broke, or another one reads this consumer"));
        }
        let Subscription { context, partition, .. } = self.subscription;
        let (events, gone) = (log.part(context, partition), log.gone(context, partition));
        let is_held = log.is_held;
        Ok(act(queue, Shelf { events, gone, is_held, numbers: deliveries }))
    }
}

#[async_trait]
impl Consumer for BrokerConsumer {
    async fn fetch(&mut self, limit: usize) -> Result<Vec<Delivery>, Error> {
        let shared = self.shared.clone();
        before_fetch(&shared, &self.process).await?;
        loop {
            // Before looking: what comes afterwards wakes.
            let news = shared.news.notified();
            let deliveries = self.with(FETCHING, |queue, shelf| match queue.gap(shelf.gone) {
                _ if shelf.is_held => Ok(Vec::new()),
                Some(gap) => Err(gap),
                None => Ok(queue.take(shelf, limit.max(1))),
            })?;
            let consumer = || self.subscription.consumer.clone();
            let deliveries =
                deliveries.map_err(|(from, to)| Error::Gap { consumer: consumer(), from, to })?;
            if !deliveries.is_empty() {
                if shared.fails("deliveries lost", |faults| faults.lost_permille) {
                    self.with(FETCHING, |queue, _| queue.give_back())?;
                    return Err(unavailable(FETCHING, "what was delivered was lost"));
                }
                return Ok(deliveries);
            }
            news.await;
        }
    }

    async fn acknowledge(&mut self, positions: &[u64]) -> Result<(), Error> {
        for number in positions {
            let is_lost = self.shared.fails("acknowledgement lost", |faults| faults.redelivery_permille);
            self.with("acknowledging", |queue, _| {
                let index = queue.open.remove(number);
                queue.returned.extend(index.filter(|_| is_lost));
            })?;
        }
        Ok(())
    }

    async fn give_back(&mut self) -> Result<(), Error> {
        self.with("giving back", |queue, _| queue.give_back())
    }
}
