//! What is counted, with handles looked up once. Labels are names that the program knows:
//! services, consumers, events, sagas and steps.

use std::collections::BTreeMap;

use kernel::Duration;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// What is counted of a consumer.
pub(crate) struct ConsumerMetrics {
    kinds: BTreeMap<&'static str, KindMetrics>,
    pub(crate) in_flight: Gauge,
    pub(crate) parked: Gauge,
    pub(crate) backlog: Gauge,
    pub(crate) oldest_seconds: Gauge,
    pub(crate) stopped: Gauge,
    pub(crate) catching_up: Gauge,
    pub(crate) recreated: Counter,
}

/// What is counted of a consumer's events of one type.
struct KindMetrics {
    attempts: Counter,
    consumed: Counter,
    retried: Counter,
    dead: Counter,
    seconds: Histogram,
}

/// What became of an attempt to handle a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempted {
    /// It took effect.
    Done,
    /// It failed and is tried again.
    Retried,
    /// It failed for good.
    Dead,
}

impl ConsumerMetrics {
    pub(crate) fn of(consumer: &str, kinds: impl Iterator<Item = &'static str>) -> Self {
        let name = || consumer.to_owned();
        Self {
            kinds: kinds.map(|kind| (kind, KindMetrics::of(consumer, kind))).collect(),
            in_flight: gauge!("a4co_consumer_in_flight", "consumer" => name()),
            parked: gauge!("a4co_consumer_parked", "consumer" => name()),
            backlog: gauge!("a4co_consumer_backlog", "consumer" => name()),
            oldest_seconds: gauge!("a4co_consumer_oldest_seconds", "consumer" => name()),
            stopped: gauge!("a4co_consumer_stopped", "consumer" => name()),
            catching_up: gauge!("a4co_consumer_catching_up", "consumer" => name()),
            recreated: counter!("a4co_consumer_recreated_total", "consumer" => name()),
        }
    }

    /// A delivery was tried, with others of its batch, which took so long from the bus to the disk.
    pub(crate) fn tried(&self, kind: &str, became: Attempted, took: Duration) {
        let Some(kind) = self.kinds.get(kind) else { return };
        kind.attempts.increment(1);
        kind.seconds.record(took.as_secs_f64());
        match became {
            Attempted::Done => kind.consumed.increment(1),
            Attempted::Retried => kind.retried.increment(1),
            Attempted::Dead => kind.dead.increment(1),
        }
    }

    /// A delivery was given up unread: it killed the process as often as it may.
    pub(crate) fn given_up(&self, kind: &str) {
        if let Some(kind) = self.kinds.get(kind) {
            kind.dead.increment(1);
        }
    }
}

impl KindMetrics {
    fn of(consumer: &str, kind: &'static str) -> Self {
        let labels = [("consumer", consumer.to_owned()), ("type", kind.to_owned())];
        Self {
            attempts: counter!("a4co_events_attempts_total", &labels),
            consumed: counter!("a4co_events_consumed_total", &labels),
            retried: counter!("a4co_events_retried_total", &labels),
            dead: counter!("a4co_events_dead_total", &labels),
            seconds: histogram!("a4co_event_processing_seconds", &labels),
        }
    }
}

/// What is counted of a service.
pub(crate) struct ServiceMetrics {
    service: &'static str,
    published: BTreeMap<&'static str, Counter>,
    pub(crate) commits: Counter,
    pub(crate) dead_letters: Gauge,
    pub(crate) dead_letter_oldest_seconds: Gauge,
    pub(crate) error_ratio: Gauge,
    pub(crate) sagas_late: Gauge,
    pub(crate) timers_late: Gauge,
    pub(crate) events_lost: Gauge,
    pub(crate) failure_kinds: Counter,
}

impl ServiceMetrics {
    pub(crate) fn of(service: &'static str, published: impl Iterator<Item = &'static str>) -> Self {
        let event = |kind| {
            let made = counter!("a4co_events_published_total", "service" => service, "type" => kind);
            (kind, made)
        };
        Self {
            service,
            published: published.map(event).collect(),
            commits: counter!("a4co_commits_total", "service" => service),
            dead_letters: gauge!("a4co_dead_letters", "service" => service),
            dead_letter_oldest_seconds: gauge!("a4co_dead_letter_oldest_seconds", "service" => service),
            error_ratio: gauge!("a4co_service_error_ratio", "service" => service),
            sagas_late: gauge!("a4co_sagas_late", "service" => service),
            timers_late: gauge!("a4co_timers_late", "service" => service),
            events_lost: gauge!("a4co_events_lost", "service" => service),
            failure_kinds: counter!("a4co_failure_kinds_total", "service" => service),
        }
    }

    /// An event is durable, which on a bus that publishes in the commit is published.
    pub(crate) fn published(&self, kind: &str) {
        if let Some(counter) = self.published.get(kind) {
            counter.increment(1);
        }
    }

    /// A step of a saga ended, in whichever way.
    pub(crate) fn step_ended(&self, saga: &str, step: &str, took: Duration) {
        let labels = [("service", self.service), ("saga", saga), ("step", step)];
        histogram!("a4co_saga_step_seconds", &labels.map(owned)).record(took.as_secs_f64());
    }

    /// A saga ended.
    pub(crate) fn saga_ended(&self, saga: &str, outcome: &str, took: Duration) {
        let labels = [("service", self.service), ("saga", saga), ("outcome", outcome)];
        counter!("a4co_sagas_ended_total", &labels.map(owned)).increment(1);
        let labels = [("service", self.service), ("saga", saga)];
        histogram!("a4co_saga_seconds", &labels.map(owned)).record(took.as_secs_f64());
    }

    /// How many sagas of a name are under way, and how many of them wait for an operator.
    pub(crate) fn sagas(&self, saga: &str, active: u64, blocked: u64) {
        let labels = [("service", self.service), ("saga", saga)].map(owned);
        gauge!("a4co_sagas_active", &labels).set(active as f64);
        gauge!("a4co_sagas_blocked", &labels).set(blocked as f64);
    }

    /// How far a projection is, and what it could not fold.
    pub(crate) fn projection(&self, projection: &'static str, lag: Duration, quarantined: u64) {
        let labels = [("service", self.service), ("projection", projection)].map(owned);
        gauge!("a4co_projection_lag_seconds", &labels).set(lag.as_secs_f64());
        gauge!("a4co_projection_quarantined", &labels).set(quarantined as f64);
    }
}

fn owned((key, value): (&'static str, &str)) -> (&'static str, String) {
    (key, value.to_owned())
}
