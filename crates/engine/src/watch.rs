//! The engine looks at itself every few seconds: what waits, what is late, what failed. From that
//! come health, gauges and alerts; a consumer whose reader is deaf is told so. It asks the bus,
//! and the store only for what may have changed.

use std::sync::{Arc, Mutex, PoisonError};

use backbone::bus::{Backlog, Bus};
use backbone::environment::Clock;
use kernel::{Duration, Timestamp};
use metrics::{Gauge, gauge};

use crate::alerts::{self, Alert, Alerts, Reading};
use crate::health::{Health, ServiceHealth};
use crate::service_watch::ServiceWatch;
use crate::shutdown::Shutdown;
use crate::signs::ConsumerSigns;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(5);

/// A bus that says nothing for so long cannot be reached.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);

/// What runs, seen from outside.
#[derive(Clone)]
pub struct Watch(Arc<Inside>);

struct Inside {
    clock: Arc<dyn Clock>,
    bus: Arc<dyn Bus>,
    services: Vec<ServiceWatch>,
    alerts: Alerts,
    /// Since when the bus cannot be reached.
    unreachable_since: Mutex<Option<Timestamp>>,
    connected: Gauge,
    disconnected_seconds: Gauge,
}

impl Watch {
    pub(crate) fn new(clock: Arc<dyn Clock>, bus: Arc<dyn Bus>, services: Vec<ServiceWatch>) -> Self {
        Self(Arc::new(Inside {
            clock,
            bus,
            services,
            alerts: Alerts::default(),
            unreachable_since: Mutex::default(),
            connected: gauge!("a4co_bus_connected"),
            disconnected_seconds: gauge!("a4co_bus_disconnected_seconds"),
        }))
    }

    /// Every service that runs here, as it was a few seconds ago at most.
    pub fn health(&self) -> Vec<ServiceHealth> {
        let now = self.0.clock.now();
        self.0.services.iter().map(|service| service.report(now)).collect()
    }

    /// The alerts that fire.
    pub fn alerts(&self) -> Vec<Alert> {
        self.0.alerts.firing()
    }

    /// A service answered a request, well or not.
    pub fn answered(&self, service: &str, well: bool) {
        if let Some(service) = self.0.services.iter().find(|known| known.service() == service) {
            service.host.signs().operated(1, u64::from(!well));
        }
    }

    /// Looks until shutdown.
    pub(crate) async fn run(self, mut shutdown: Shutdown) {
        loop {
            tokio::select! {
                biased;
                () = shutdown.wait() => return,
                () = self.look() => {}
            }
            tokio::select! {
                biased;
                () = shutdown.wait() => return,
                () = self.0.clock.sleep(EVERY) => {}
            }
        }
    }

    async fn look(&self) {
        let inside = &*self.0;
        let mut readings = Vec::new();
        inside.ask_bus(&mut readings).await;
        let now = inside.clock.now();
        let mut letters = 0;
        for service in &inside.services {
            service.look(&*inside.bus, now).await;
            service.read(now, &mut readings);
            letters += service.dead_letters();
            for consumer in &service.consumers {
                read_consumer(consumer, now, &mut readings);
            }
        }
        let of = "all services".to_owned();
        readings.push(Reading { alert: alerts::DEAD_LETTERS, of, value: letters as f64 });
        inside.alerts.evaluate(&readings, now);
    }
}

impl Inside {
    /// What waits for each consumer. A bus that answers nobody is not there.
    async fn ask_bus(&self, readings: &mut Vec<Reading>) {
        let consumers: Vec<&Arc<ConsumerSigns>> =
            self.services.iter().flat_map(|service| &service.consumers).collect();
        let asked = consumers.iter().map(|consumer| self.backlog(consumer));
        let answers = futures::future::join_all(asked).await;
        let now = self.clock.now();
        let is_there = answers.is_empty() || answers.iter().any(Option::is_some);
        for (consumer, answer) in consumers.into_iter().zip(answers) {
            if let Some(backlog) = answer {
                consumer.look(backlog, now);
            }
        }
        let mut since = self.unreachable_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = if is_there { None } else { Some(since.unwrap_or(now)) };
        let seconds = since.map_or(0.0, |since| now.since(since).as_secs_f64());
        self.connected.set(if is_there { 1.0 } else { 0.0 });
        self.disconnected_seconds.set(seconds);
        readings.push(Reading { alert: alerts::BUS_DISCONNECTED, of: "bus".to_owned(), value: seconds });
    }

    async fn backlog(&self, consumer: &ConsumerSigns) -> Option<Backlog> {
        let subscription = consumer.subscription();
        tokio::select! {
            biased;
            answer = self.bus.backlog(&subscription) => answer.ok(),
            () = self.clock.sleep(ANSWER_TIME_MAX) => None,
        }
    }
}

fn read_consumer(consumer: &ConsumerSigns, now: Timestamp, readings: &mut Vec<Reading>) {
    let (pulse, metrics) = (consumer.pulse(), &consumer.metrics);
    let oldest = pulse.oldest_age(now).as_secs_f64();
    let waiting = pulse.backlog.waiting as f64;
    let has_stopped = matches!(pulse.judge(now), Health::Blocked | Health::Dead);
    let stopped = if has_stopped { 1.0 } else { 0.0 };
    metrics.backlog.set(waiting);
    metrics.oldest_seconds.set(oldest);
    metrics.parked.set(pulse.parked as f64);
    let catching_up = if consumer.is_catching_up() { 1.0 } else { 0.0 };
    metrics.stopped.set(stopped);
    metrics.catching_up.set(catching_up);
    for (alert, value) in [
        (alerts::EVENT_UNPROCESSED, oldest),
        (alerts::BACKLOG, waiting),
        (alerts::CONSUMER_STOPPED, stopped),
        (alerts::CONSUMER_GAP, catching_up),
    ] {
        readings.push(Reading { alert, of: consumer.name.clone(), value });
    }
}
