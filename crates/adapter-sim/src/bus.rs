//! The bus: an embedded log read by position, or a broker.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use backbone::bus::{
    BACKLOG_COUNTED_MAX, Backlog, Bus, Capabilities, Consumer, Delivery, Error, GivenUp, Lost, Subscription,
};
use kernel::{Envelope, Timestamp};

use crate::broker::{BrokerConsumer, Queue, place};
use crate::plight::Side;
use crate::process::Process;
use crate::shared::Shared;
use crate::world::BusKind;

/// What was attempted, where a fetch fails.
pub(crate) const FETCHING: &str = "fetching";

pub(crate) fn unavailable(operation: &'static str, reason: &str) -> Error {
    Error::Unavailable { operation, reason: reason.to_owned() }
}

pub(crate) struct SimBus {
    pub(crate) shared: Arc<Shared>,
    pub(crate) process: Arc<Process>,
}

impl SimBus {
    fn alive(&self, operation: &'static str) -> Result<(), Error> {
        if self.process.is_dead() { Err(unavailable(operation, "the process is dead")) } else { Ok(()) }
    }

    /// Takes events in.
    fn append(&self, events: &[Envelope]) {
        let now = self.shared.now();
        let mut inside = self.shared.lock();
        for event in events {
            inside.trace.add(now, &format!("published {} {}", event.id, event.kind));
            // A reader by position has no inbox, so the log holds each event once; a broker keeps
            // what it is given.
            if self.shared.settings.bus == BusKind::Broker || !inside.disk.log.contains(event.id) {
                inside.disk.log.append(event.clone());
            }
        }
        drop(inside);
        self.shared.news.notify_waiters();
    }
}

#[async_trait]
impl Bus for SimBus {
    fn capabilities(&self) -> Capabilities {
        // The embedded log is written by commits and read by position; a broker is neither.
        let embedded = self.shared.settings.bus == BusKind::Log;
        let partitions = self.shared.lock().disk.log.partitions;
        Capabilities { publishes_in_commit: embedded, reads_by_position: embedded, partitions }
    }

    async fn publish(&self, events: Vec<Envelope>) -> Result<(), Error> {
        const PUBLISHING: &str = "publishing";
        let failed = |reason| unavailable(PUBLISHING, reason);
        let breaks = self.shared.lock().broker_breaks;
        let latency = &self.shared.settings.sync_time_ms;
        self.shared.request(&self.process, Side::Broker, latency).await.map_err(failed)?;
        let fails = self.shared.fails(PUBLISHING, |faults| faults.publish_fails_permille)
            || self.shared.lock().broker_breaks != breaks;
        if fails && self.shared.lock().dice.faults.chance(500) {
            // The connection broke in the middle: the first of them may have arrived.
            let arrived = self.shared.lock().dice.faults.below(events.len() as u64) as usize;
            self.append(&events[..arrived]);
            return Err(failed("injected: not all was written"));
        }
        self.append(&events);
        if self.shared.fails("published twice", |faults| faults.twice_permille) {
            self.append(&events);
        }
        if fails {
            return Err(failed("injected: the confirmation was lost"));
        }
        self.shared.answer(&self.process, Side::Broker).await.map_err(failed)
    }

    async fn open(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, Error> {
        const OPENING: &str = "opening a consumer";
        self.alive(OPENING)?;
        if self.process.plight.is_cut(Side::Broker) {
            return Err(unavailable(OPENING, "cut off"));
        }
        let (shared, process) = (self.shared.clone(), self.process.clone());
        if self.shared.settings.bus == BusKind::Broker {
            return Ok(Box::new(BrokerConsumer::open(shared, process, subscription)?));
        }
        let (cursor, open) = (subscription.after.unwrap_or(0), BTreeSet::new());
        Ok(Box::new(LogConsumer { shared, process, subscription, cursor, open }))
    }

    fn lost(&self) -> Vec<Lost> {
        self.shared.lock().lost.clone()
    }

    /// Takes no time and rolls no dice: like the look at what waits.
    async fn knows(&self, subscription: &Subscription) -> Result<bool, Error> {
        self.alive("looking for a consumer")?;
        let inside = self.shared.lock();
        let is_embedded = self.shared.settings.bus == BusKind::Log;
        let queue = inside.disk.queues.get(&place(subscription));
        Ok(is_embedded || queue.is_some_and(Queue::was_opened))
    }

    async fn position_before(&self, subscription: &Subscription, at: Timestamp) -> Result<u64, Error> {
        self.alive("looking for a moment")?;
        let inside = self.shared.lock();
        let all = inside.disk.log.part(subscription.context, subscription.partition);
        Ok(all.iter().take_while(|(_, envelope)| envelope.time < at).count() as u64)
    }

    /// Takes no time and rolls no dice: like the look at what waits.
    async fn given_up(&self, subscription: &Subscription, limit: usize) -> Result<Vec<GivenUp>, Error> {
        self.alive("looking at what was given up")?;
        let inside = self.shared.lock();
        let queue = inside.disk.queues.get(&place(subscription));
        Ok(queue.map_or_else(Vec::new, |queue| queue.given_up.iter().take(limit).cloned().collect()))
    }

    async fn forget(&self, subscription: &Subscription, handles: &[u64]) -> Result<(), Error> {
        self.alive("forgetting what was given up")?;
        if let Some(queue) = self.shared.lock().disk.queues.get_mut(&place(subscription)) {
            queue.given_up.retain(|message| !handles.contains(&message.handle));
        }
        Ok(())
    }

    /// Takes no time and rolls no dice: whoever watches changes nothing in a run.
    async fn end(&self) -> Result<u64, Error> {
        self.alive("looking where the log ends")?;
        let inside = self.shared.lock();
        Ok(if self.shared.settings.bus == BusKind::Log { inside.disk.log.last_position() } else { 0 })
    }

    async fn backlog(&self, subscription: &Subscription) -> Result<Backlog, Error> {
        self.alive("looking at what waits")?;
        let inside = self.shared.lock();
        let log = &inside.disk.log;
        let (waiting, oldest) = match self.shared.settings.bus {
            BusKind::Log => {
                let after = log.after(subscription.context, subscription.after.unwrap_or(0));
                (after.len(), after.first().map(|(_, envelope)| envelope.time))
            }
            BusKind::Broker => {
                let all = log.part(subscription.context, subscription.partition);
                match inside.disk.queues.get(&place(subscription)) {
                    Some(queue) => queue.waiting(all),
                    None => (all.len(), all.first().map(|(_, envelope)| envelope.time)),
                }
            }
        };
        Ok(Backlog { waiting: (waiting as u64).min(BACKLOG_COUNTED_MAX), oldest })
    }
}

/// Reads the log by position.
struct LogConsumer {
    shared: Arc<Shared>,
    process: Arc<Process>,
    subscription: Subscription,
    /// What stands after this position was not fetched, or was given back.
    cursor: u64,
    /// Fetched, neither acknowledged nor given back.
    open: BTreeSet<u64>,
}

/// Waits a delivery's time and fails as a fetch may: what every fetch begins with.
pub(crate) async fn before_fetch(shared: &Shared, process: &Process) -> Result<(), Error> {
    let reached = shared.request(process, Side::Broker, &shared.settings.delivery_time_ms).await;
    reached.map_err(|reason| unavailable(FETCHING, reason))?;
    if !process.is_observer() && shared.fails(FETCHING, |faults| faults.fetch_fails_permille) {
        return Err(unavailable(FETCHING, "injected"));
    }
    Ok(())
}

#[async_trait]
impl Consumer for LogConsumer {
    async fn fetch(&mut self, limit: usize) -> Result<Vec<Delivery>, Error> {
        let shared = self.shared.clone();
        before_fetch(&shared, &self.process).await?;
        loop {
            // Before looking: what comes afterwards wakes.
            let news = shared.news.notified();
            if self.process.is_dead() {
                return Err(unavailable(FETCHING, "the process is dead"));
            }
            let deliveries: Vec<Delivery> = {
                let inside = shared.lock();
                let events = inside.disk.log.after(self.subscription.context, self.cursor).iter();
                let deliver = |(position, envelope): &(u64, Arc<Envelope>)| Delivery {
                    envelope: envelope.clone(),
                    position: *position,
                };
                events.take(limit.max(1)).map(deliver).collect()
            };
            if let Some(last) = deliveries.last() {
                self.cursor = last.position;
                self.open.extend(deliveries.iter().map(|delivery| delivery.position));
                return Ok(deliveries);
            }
            news.await;
        }
    }

    async fn acknowledge(&mut self, positions: &[u64]) -> Result<(), Error> {
        for position in positions {
            self.open.remove(position);
        }
        Ok(())
    }

    async fn give_back(&mut self) -> Result<(), Error> {
        if let Some(first) = self.open.first() {
            self.cursor = first - 1;
        }
        self.open.clear();
        Ok(())
    }
}
