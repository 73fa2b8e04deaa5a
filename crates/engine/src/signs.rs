//! What a consumer leaves behind for whoever watches it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use backbone::bus::{Backlog, Subscription};
use kernel::{Duration, Timestamp};
use tokio::sync::Notify;

use crate::health::{ConsumerHealth, Pulse};
use crate::lanes::Lanes;
use crate::metrics::ConsumerMetrics;

/// A reader that gets nothing for this long while events wait is deaf.
const DEAF_AFTER: Duration = Duration::from_secs(10);

/// A reader that was open for so long has ended what failed before.
const STEADY_AFTER: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Inside {
    pulse: Pulse,
    last_failure: Option<String>,
    /// Since when the reader waits in vain, as the watch saw it.
    deaf_since: Option<Timestamp>,
    /// It closes a gap.
    catches_up: bool,
}

/// What a consumer reads.
pub(crate) struct Reads {
    /// `order-inventory`.
    pub(crate) consumer: String,
    /// Its service.
    pub(crate) service: &'static str,
    /// The context.
    pub(crate) context: &'static str,
    /// Which part of the context's subjects.
    pub(crate) partition: u32,
    /// The bus reads by position.
    pub(crate) by_position: bool,
}

/// The signs of a consumer's life.
pub(crate) struct ConsumerSigns {
    /// Its name: the consumer's, with the partition where there are several.
    pub(crate) name: String,
    /// What it reads.
    pub(crate) reads: Reads,
    /// What is counted of it.
    pub(crate) metrics: ConsumerMetrics,
    /// Rung when its reader is deaf: it is closed and opened again.
    pub(crate) deaf: Notify,
    inside: Mutex<Inside>,
}

impl ConsumerSigns {
    pub(crate) fn new(reads: Reads, kinds: impl Iterator<Item = &'static str>) -> Self {
        let name = match reads.partition {
            0 => reads.consumer.clone(),
            partition => format!("{}/{partition}", reads.consumer),
        };
        let metrics = ConsumerMetrics::of(&name, kinds);
        let (deaf, inside) = (Notify::new(), Mutex::default());
        Self { name, reads, metrics, deaf, inside }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ── what the consumer says ──────────────────────────────────────────────────────────────

    /// Its reader is open.
    pub(crate) fn reads(&self, position: u64, now: Timestamp) {
        let mut inside = self.lock();
        inside.pulse.position = position;
        inside.pulse.reading_since = Some(now);
        inside.pulse.in_flight = 0;
        inside.deaf_since = None;
    }

    /// What is parked now.
    pub(crate) fn parks(&self, lanes: &Lanes, is_full: bool) {
        let mut inside = self.lock();
        inside.pulse.parked = lanes.parked();
        inside.pulse.parked_since = lanes.waits_since();
        inside.pulse.is_full = is_full;
    }

    /// Deliveries came and are being handled.
    pub(crate) fn takes(&self, count: usize, now: Timestamp) {
        self.metrics.in_flight.set(count as f64);
        let mut inside = self.lock();
        inside.pulse.in_flight = count;
        inside.pulse.delivered_at = Some(now);
        inside.pulse.deaf_readers = 0;
        inside.deaf_since = None;
    }

    /// They are committed.
    pub(crate) fn progresses(&self, position: u64, now: Timestamp) {
        self.metrics.in_flight.set(0.0);
        let mut inside = self.lock();
        inside.pulse.in_flight = 0;
        inside.pulse.position = position;
        inside.pulse.progressed_at = Some(now);
        inside.pulse.failing_since = None;
        inside.pulse.waiting_since = None;
    }

    /// It gave up its reader and will begin again.
    pub(crate) fn fails(&self, reason: &str, now: Timestamp) {
        self.metrics.in_flight.set(0.0);
        let mut inside = self.lock();
        let read = inside.pulse.reading_since.take();
        let steady = read.is_some_and(|since| now.since(since) >= STEADY_AFTER);
        if steady || inside.pulse.failing_since.is_none() {
            inside.pulse.failing_since = Some(now);
        }
        inside.pulse.in_flight = 0;
        inside.last_failure = Some(reason.to_owned());
    }

    /// It takes out of the journals what the broker lost, or has done so.
    pub(crate) fn catches_up(&self, is_so: bool) {
        self.lock().catches_up = is_so;
    }

    /// Whether it does.
    pub(crate) fn is_catching_up(&self) -> bool {
        self.lock().catches_up
    }

    // ── what the watch says and asks ────────────────────────────────────────────────────────

    /// What the bus is asked for.
    pub(crate) fn subscription(&self) -> Subscription {
        Subscription {
            consumer: self.reads.consumer.clone(),
            service: self.reads.service,
            context: self.reads.context,
            partition: self.reads.partition,
            after: self.reads.by_position.then(|| self.lock().pulse.position),
        }
    }

    /// Takes in what waits. A reader that has waited in vain for too long is given up.
    pub(crate) fn look(&self, backlog: Backlog, now: Timestamp) {
        let mut inside = self.lock();
        inside.pulse.backlog = backlog;
        let waits = backlog.waiting > 0;
        inside.pulse.waiting_since = waits.then(|| inside.pulse.waiting_since.unwrap_or(now));
        let pulse = &inside.pulse;
        let in_vain = waits && pulse.reading_since.is_some() && pulse.in_flight == 0 && !pulse.is_full;
        inside.deaf_since = in_vain.then(|| inside.deaf_since.unwrap_or(now));
        if inside.deaf_since.is_some_and(|since| now.since(since) >= DEAF_AFTER) {
            inside.deaf_since = None;
            inside.pulse.deaf_readers += 1;
            let waiting = backlog.waiting;
            drop(inside);
            tracing::warn!(consumer = self.name, waiting, "the reader gets nothing while events wait");
            self.metrics.recreated.increment(1);
            self.deaf.notify_one();
        }
    }

    /// A copy of what it is judged by.
    pub(crate) fn pulse(&self) -> Pulse {
        self.lock().pulse.clone()
    }

    /// For whoever looks.
    pub(crate) fn report(&self, dead_letters: u64, now: Timestamp) -> ConsumerHealth {
        let inside = self.lock();
        let pulse = &inside.pulse;
        ConsumerHealth {
            consumer: self.name.clone(),
            health: pulse.judge(now),
            position: pulse.position,
            backlog: pulse.backlog.waiting,
            oldest_seconds: pulse.oldest_age(now).as_secs_f64(),
            in_flight: pulse.in_flight,
            parked: pulse.parked,
            dead_letters,
            last_delivery: pulse.delivered_at,
            last_progress: pulse.progressed_at,
            is_catching_up: inside.catches_up,
            last_failure: inside.last_failure.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(1_767_607_200_000_000).plus(Duration::from_secs(seconds))
    }

    fn rung(signs: &ConsumerSigns) -> bool {
        signs.deaf.notified().now_or_never().is_some()
    }

    #[test]
    fn only_a_reader_that_waits_in_vain_is_deaf() {
        let consumer = "a-b".to_owned();
        let reads = Reads { consumer, service: "a", context: "b", partition: 0, by_position: true };
        let signs = ConsumerSigns::new(reads, std::iter::empty());
        let some = Backlog { waiting: 3, oldest: Some(at(0)) };
        let looks =
            |from: u64, to: u64| (from..=to).step_by(5).for_each(|second| signs.look(some, at(second)));
        looks(0, 20);
        assert!(!rung(&signs), "it is not open");
        signs.reads(0, at(20));
        looks(20, 25);
        signs.takes(2, at(26));
        looks(30, 60);
        assert!(!rung(&signs), "it is at work");
        signs.progresses(2, at(60));
        looks(60, 65);
        assert!(!rung(&signs), "not yet");
        signs.look(Backlog::default(), at(67));
        looks(68, 73);
        assert!(!rung(&signs), "in between nothing waited");
        looks(73, 78);
        assert!(rung(&signs));
    }
}
