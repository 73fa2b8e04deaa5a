//! A broker: keeps a queue per consumer, remembers what was acknowledged, delivers at least once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use backbone::bus::{Consumer, Delivery, Error, Subscription};
use kernel::Timestamp;

use crate::bus::{FETCHING, before_fetch, unavailable};
use crate::log::Log;
use crate::process::Process;
use crate::shared::Shared;

/// What the broker knows of a consumer; it outlives the processes.
#[derive(Default)]
pub(crate) struct Queue {
    /// How many of the context's events were delivered at least once.
    next: usize,
    /// To be delivered again, before what is new.
    returned: BTreeSet<usize>,
    /// Delivered under a number and not acknowledged.
    open: BTreeMap<u64, usize>,
    /// The last number that was given.
    numbers: u64,
    /// How often it was opened; only the last one who did is served.
    opened: u64,
}

impl Queue {
    fn give_back(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.returned.extend(open.into_values());
    }

    /// How many events wait, and when the oldest was published.
    pub(crate) fn waiting(&self, log: &Log, context: &str) -> (usize, Option<Timestamp>) {
        let events = log.context(context);
        let first = self.returned.first().copied().unwrap_or(self.next);
        let new = events.len().saturating_sub(self.next);
        (self.returned.len() + new, events.get(first).map(|(_, envelope)| envelope.time))
    }

    fn take(&mut self, log: &Log, context: &str, limit: usize) -> Vec<Delivery> {
        let events = log.context(context);
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
            self.numbers += 1;
            self.open.insert(self.numbers, index);
            deliveries.push(Delivery { envelope: events[index].1.clone(), position: self.numbers });
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

impl BrokerConsumer {
    /// Takes the consumer over: what the one before did not acknowledge comes again.
    pub(crate) fn open(shared: Arc<Shared>, process: Arc<Process>, subscription: Subscription) -> Self {
        let opened = {
            let mut inside = shared.lock();
            let queue = inside.disk.queues.entry(subscription.consumer.clone()).or_default();
            queue.give_back();
            queue.opened += 1;
            queue.opened
        };
        shared.news.notify_waiters();
        Self { shared, process, subscription, opened }
    }

    /// Does something with the queue, where this is still its reader.
    fn with<T>(&self, operation: &'static str, act: impl FnOnce(&mut Queue, &Log) -> T) -> Result<T, Error> {
        if self.process.is_dead() {
            return Err(unavailable(operation, "the process is dead"));
        }
        let mut inside = self.shared.lock();
        let disk = &mut inside.disk;
        let queue = disk.queues.entry(self.subscription.consumer.clone()).or_default();
        if queue.opened != self.opened {
            return Err(unavailable(operation, "another one reads this consumer"));
        }
        Ok(act(queue, &disk.log))
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
            let context = self.subscription.context;
            let deliveries = self.with(FETCHING, |queue, log| queue.take(log, context, limit.max(1)))?;
            if !deliveries.is_empty() {
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
