//! The engine sees itself: deaf readers, full consumers, alerts that fire once and resolve once. On
//! simulated time, which makes ten seconds as long as nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use adapter_sim::SimWorld;
use async_trait::async_trait;
use backbone::Context;
use backbone::bus::{Backlog, Bus, Capabilities, Consumer, Delivery, Error, Subscription};
use backbone::work::{Origin, Work};
use engine::{Engine, Health, Options, Parts, Running, ServiceHealth};
use kernel::{Duration, Envelope};
use serde_json::Value;
use uuid::Uuid;

use super::probe::{Misbehaviour, NoCalls, Orders, Ping, Seen, probe_module};

/// A bus whose first reader hears nothing after a while, and which can go away.
struct Faulty {
    inner: Arc<dyn Bus>,
    is_deaf: Arc<AtomicBool>,
    is_away: AtomicBool,
    opened: AtomicU32,
}

#[async_trait]
impl Bus for Faulty {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn publish(&self, events: Vec<Envelope>) -> Result<(), Error> {
        self.inner.publish(events).await
    }

    async fn open(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, Error> {
        let inner = self.inner.open(subscription).await?;
        let is_first = self.opened.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(if is_first { Box::new(Deaf { inner, is_deaf: self.is_deaf.clone() }) } else { inner })
    }

    async fn backlog(&self, subscription: &Subscription) -> Result<Backlog, Error> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Error::Unavailable { operation: "looking", reason: "told to be away".to_owned() });
        }
        self.inner.backlog(subscription).await
    }
}

struct Deaf {
    inner: Box<dyn Consumer>,
    is_deaf: Arc<AtomicBool>,
}

#[async_trait]
impl Consumer for Deaf {
    async fn fetch(&mut self, limit: usize) -> Result<Vec<Delivery>, Error> {
        if self.is_deaf.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        let found = self.inner.fetch(limit).await?;
        if self.is_deaf.load(Ordering::SeqCst) {
            self.inner.give_back().await?;
            return std::future::pending().await;
        }
        Ok(found)
    }

    async fn acknowledge(&mut self, positions: &[u64]) -> Result<(), Error> {
        self.inner.acknowledge(positions).await
    }

    async fn give_back(&mut self) -> Result<(), Error> {
        self.inner.give_back().await
    }
}

/// The probe on simulated ground.
struct Bench {
    bus: Arc<Faulty>,
    orders: Arc<Orders>,
    context: Context,
    running: Running,
}

impl Bench {
    async fn start(seed: u64) -> Self {
        let world = SimWorld::new(seed);
        let bus = Arc::new(Faulty {
            inner: world.bus(),
            is_deaf: Arc::default(),
            is_away: AtomicBool::new(false),
            opened: AtomicU32::new(0),
        });
        let (environment, storage, keyring) = (world.environment(), world.storage(), world.keyring());
        let mut engine = Engine::new(Parts { environment, storage, bus: bus.clone(), keyring });
        let context = engine.context("probe", Arc::new(NoCalls));
        let orders = Arc::new(Orders::default());
        engine.mount(probe_module(orders.clone())).unwrap();
        let running = engine.start(Options::default()).await.unwrap();
        Self { bus, orders, context, running }
    }

    async fn ping(&self, key: Uuid, numbers: std::ops::RangeInclusive<u64>) {
        let work = Work::new("ping", Origin::default(), move |ws| {
            for n in numbers.clone() {
                ws.publish(Ping { key, n, secret: String::new().into() });
            }
            Ok(Value::Null)
        });
        self.context.commands.execute(work).await.unwrap();
    }

    async fn seen(&self, key: Uuid) -> Vec<u64> {
        self.context.get::<Seen>(key).await.unwrap().map_or_else(Vec::new, |seen| seen.document.order)
    }

    fn service(&self) -> ServiceHealth {
        self.running.watch().health().remove(0)
    }

    fn health(&self) -> Health {
        self.service().consumers[0].health
    }

    fn firing(&self) -> Vec<(&'static str, String)> {
        self.running.watch().alerts().into_iter().map(|alert| (alert.alert, alert.about)).collect()
    }
}

async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}

#[tokio::test(start_paused = true)]
async fn rule_16_a_reader_that_gets_nothing_while_events_wait_is_closed_and_opened_again() {
    let bench = Bench::start(1).await;
    let key = Uuid::from_u128(1);
    bench.ping(key, 1..=1).await;
    seconds(1).await;
    assert_eq!(bench.seen(key).await, [1]);
    seconds(60).await;
    assert_eq!(bench.bus.opened.load(Ordering::SeqCst), 1, "a reader that has nothing to hear is left alone");

    bench.bus.is_deaf.store(true, Ordering::SeqCst);
    bench.ping(key, 2..=3).await;
    seconds(9).await;
    assert_eq!(bench.seen(key).await, [1]);
    assert_eq!(bench.health(), Health::Behind);
    assert_eq!(bench.service().consumers[0].backlog, 2);
    seconds(10).await;
    assert_eq!(bench.seen(key).await, [1, 2, 3]);
    assert_eq!(bench.bus.opened.load(Ordering::SeqCst), 2);
    assert_eq!(bench.orders.delivered(key, 2), 1);
    seconds(5).await;
    assert_eq!(bench.health(), Health::CaughtUp);
    seconds(60).await;
    assert_eq!(bench.health(), Health::Idle);
    assert_eq!(bench.firing(), [], "it was heard again before anybody had to be told");
    bench.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_is_away_for_longer_than_ten_seconds_is_told_once_and_taken_back_once() {
    let bench = Bench::start(2).await;
    seconds(1).await;
    bench.bus.is_away.store(true, Ordering::SeqCst);
    seconds(9).await;
    assert_eq!(bench.firing(), []);
    seconds(15).await;
    assert_eq!(bench.firing(), [("bus-disconnected", "bus".to_owned())]);
    let since = bench.running.watch().alerts()[0].since;
    seconds(30).await;
    assert_eq!(bench.running.watch().alerts()[0].since, since);
    bench.bus.is_away.store(false, Ordering::SeqCst);
    seconds(6).await;
    assert_eq!(bench.firing(), []);
    bench.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_stands_behind_a_dead_letter_is_unprocessed_and_what_waits_for_its_retry_is_not() {
    let bench = Bench::start(3).await;
    let (retried, dead) = (Uuid::from_u128(1), Uuid::from_u128(2));
    bench.orders.fail(retried, 1, 3, Misbehaviour::Transient);
    bench.ping(retried, 1..=2).await;
    seconds(6).await;
    let consumer = bench.service().consumers.remove(0);
    assert_eq!((consumer.parked, consumer.oldest_seconds), (2, 0.0), "its retry is planned");
    seconds(6).await;
    assert_eq!(bench.seen(retried).await, [1, 2]);

    bench.orders.fail(dead, 1, 1, Misbehaviour::Permanent);
    bench.ping(dead, 1..=2).await;
    seconds(25).await;
    assert_eq!(bench.firing(), []);
    seconds(15).await;
    assert_eq!(bench.firing(), [("event-unprocessed", "probe-probe".to_owned())]);
    assert_eq!(bench.service().consumers[0].dead_letters, 1);
    seconds(3_600).await;
    let old = [("dead-letter-old", "probe".to_owned()), ("event-unprocessed", "probe-probe".to_owned())];
    assert_eq!(bench.firing(), old);

    let letters = bench.running.dead_letters();
    let (id, _) = letters.list("probe", None, 10).await.unwrap().remove(0);
    letters.retry("probe", &id).await.unwrap();
    seconds(11).await;
    assert_eq!(bench.seen(dead).await, [1, 2]);
    assert_eq!(bench.firing(), []);
    bench.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn more_than_ten_dead_letters_are_told() {
    let bench = Bench::start(4).await;
    for number in 1..=11 {
        let key = Uuid::from_u128(number);
        bench.orders.fail(key, 1, 1, Misbehaviour::Permanent);
        assert_eq!(bench.firing(), []);
        bench.ping(key, 1..=1).await;
        seconds(6).await;
    }
    assert_eq!(bench.firing(), [("dead-letters", "all services".to_owned())]);
    bench.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_consumer_parks_so_many_and_then_takes_no_more_and_says_so() {
    const PARKED_MAX: usize = 10_000;
    let bench = Bench::start(5).await;
    let (bad, good) = (Uuid::from_u128(1), Uuid::from_u128(2));
    bench.orders.fail(bad, 1, 1, Misbehaviour::Permanent);
    for first in (1..=11_000).step_by(500) {
        bench.ping(bad, first..=first + 499).await;
    }
    bench.ping(good, 1..=1).await;
    seconds(20).await;
    let consumer = bench.service().consumers.remove(0);
    assert_eq!(consumer.health, Health::Blocked);
    assert!((PARKED_MAX..PARKED_MAX + 256).contains(&consumer.parked), "{} are parked", consumer.parked);
    assert!(consumer.backlog > 700 && consumer.backlog < 1_002, "{} wait", consumer.backlog);
    assert_eq!(bench.seen(good).await, Vec::<u64>::new());
    assert!(bench.firing().contains(&("consumer-stopped", "probe-probe".to_owned())));
    assert_eq!(bench.bus.opened.load(Ordering::SeqCst), 1, "it is full, not deaf");
    bench.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn errors_above_five_in_a_hundred_are_told() {
    let bench = Bench::start(6).await;
    let watch = bench.running.watch();
    seconds(1).await;
    (0..95).for_each(|_| watch.answered("probe", true));
    (0..5).for_each(|_| watch.answered("probe", false));
    seconds(6).await;
    assert_eq!(bench.firing(), []);
    watch.answered("probe", false);
    seconds(6).await;
    assert_eq!(bench.firing(), [("service-errors", "probe".to_owned())]);
    seconds(301).await;
    assert_eq!(bench.firing(), [], "it was five minutes ago");
    bench.running.shut_down().await;
}
