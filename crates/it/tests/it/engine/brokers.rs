//! The engine on servers of its own: what a broker loses comes back out of the journals.

use std::sync::Arc;

use adapter_nats::{NatsBus, StreamSpec};
use adapter_postgres::PostgresStorage;
use backbone::work::{Origin, Work};
use backbone::{Context, Module};
use engine::{Beginning, By, Engine, Options, Parts, Running};
use kernel::{Duration, Event};
use serde_json::Value;
use testservers::{Missing, NatsServer, PostgresServer, skip};
use uuid::Uuid;

use super::ground::upto;
use super::probe::{MemoryKeys, NoCalls, Orders, Ping, SEEN, Seen, environment, probe_module};

const KEY: Uuid = Uuid::from_u128(1);

struct Servers {
    nats: NatsServer,
    _postgres: PostgresServer,
    address: String,
    keys: Arc<MemoryKeys>,
}

/// A process on them.
struct Process {
    context: Context,
    running: Running,
}

impl Servers {
    fn start() -> Result<Self, Missing> {
        let (postgres, nats) = (PostgresServer::start()?, NatsServer::start()?);
        let address = postgres.database();
        Ok(Self { nats, _postgres: postgres, address, keys: Arc::default() })
    }

    /// Starts a module; the broker keeps so many of its events.
    async fn process(&self, module: Module, keeps: u32) -> Process {
        let storage = PostgresStorage::open(&self.address, Default::default()).await.unwrap();
        let streams = vec![
            StreamSpec::limited("PROBES", "probe", keeps, 1),
            StreamSpec::limited("DLQ", "dlq", 1_000, 1),
        ];
        let options = adapter_nats::Options { servers: vec![self.nats.url()], streams, ..Default::default() };
        let bus = NatsBus::connect(options).await.unwrap();
        let (storage, bus) = (Arc::new(storage), Arc::new(bus));
        let parts = Parts { environment: environment(), storage, bus, keyring: self.keys.clone() };
        let mut engine = Engine::new(parts);
        let context = engine.context("probe", Arc::new(NoCalls));
        engine.mount(module).unwrap();
        let running = engine.start(Options::default()).await.unwrap();
        Process { context, running }
    }
}

impl Process {
    async fn ping(&self, numbers: std::ops::RangeInclusive<u64>) {
        let work = Work::new("ping", Origin::default(), move |ws| {
            for n in numbers.clone() {
                ws.publish(Ping { key: KEY, n, secret: String::new().into() });
            }
            Ok(Value::Null)
        });
        self.context.commands.execute(work).await.unwrap();
    }

    async fn until_seen(&self, last: u64) {
        let mut seen = Vec::new();
        for _ in 0..600 {
            let found = self.context.get::<Seen>(KEY).await.unwrap();
            seen = found.map_or_else(Vec::new, |seen| seen.document.order);
            if seen.last() == Some(&last) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(seen, upto(last));
    }

    fn fires(&self, alert: &str) -> bool {
        self.running.watch().alerts().iter().any(|firing| firing.alert == alert)
    }

    async fn until_fires(&self, alert: &str, wanted: bool) {
        for _ in 0..600 {
            if self.fires(alert) == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{alert}: {:?}", self.running.watch().alerts());
    }

    async fn stop(self) {
        drop(self.context);
        self.running.shut_down().await;
    }
}

/// The probe that only publishes.
fn silent() -> Module {
    Module { publishes: vec![&Ping::TYPE], collections: vec![&SEEN], ..Module::new("probe") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_the_streams_limits_overtook_catches_up_from_postgresql() {
    let servers = match Servers::start() {
        Ok(servers) => servers,
        Err(missing) => return skip(&missing),
    };
    let orders = Arc::new(Orders::default());
    let process = servers.process(probe_module(orders.clone()), 10).await;
    process.ping(1..=5).await;
    process.until_seen(5).await;
    process.stop().await;
    let publisher = servers.process(silent(), 10).await;
    publisher.ping(6..=400).await;
    // Its relay publishes what is left before it ends.
    publisher.stop().await;
    let process = servers.process(probe_module(orders.clone()), 10).await;
    process.until_seen(400).await;
    assert_eq!(orders.delivered(KEY, 3), 1, "what was taken before is not handled again");
    process.ping(401..=403).await;
    process.until_seen(403).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_loses_its_storage_is_made_again_and_filled_while_the_process_runs() {
    let servers = match Servers::start() {
        Ok(servers) => servers,
        Err(missing) => return skip(&missing),
    };
    let process = servers.process(probe_module(Arc::default()), 1_000).await;
    process.ping(1..=5).await;
    process.until_seen(5).await;
    servers.nats.kill();
    process.ping(6..=8).await;
    servers.nats.lose_data();
    servers.nats.start_again();
    process.until_seen(8).await;
    process.until_fires("events-lost", true).await;
    let republisher = process.running.republisher();
    republisher.ask(None, Beginning::Position(0), &By::new("ana")).await.unwrap();
    process.ping(9..=10).await;
    process.until_seen(10).await;
    process.until_fires("events-lost", false).await;
    let again = republisher.progress().await.unwrap().remove(0).progress;
    assert_eq!((again.published, again.is_under_way()), (8, false));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_was_deleted_at_the_broker_misses_nothing_and_takes_nothing_twice() {
    let servers = match Servers::start() {
        Ok(servers) => servers,
        Err(missing) => return skip(&missing),
    };
    let process = servers.process(probe_module(Arc::default()), 10).await;
    process.ping(1..=20).await;
    process.until_seen(20).await;
    // While it reads, and the stream has what comes next.
    servers.nats.tell("$JS.API.CONSUMER.DELETE.PROBES.probe-probe");
    process.ping(21..=24).await;
    process.until_seen(24).await;
    process.stop().await;
    // While nothing reads, and the stream has lost it by the time the consumer is made again.
    servers.nats.tell("$JS.API.CONSUMER.DELETE.PROBES.probe-probe");
    let publisher = servers.process(silent(), 10).await;
    publisher.ping(25..=60).await;
    publisher.stop().await;
    let process = servers.process(probe_module(Arc::default()), 10).await;
    process.until_seen(60).await;
    process.ping(61..=62).await;
    process.until_seen(62).await;
    process.stop().await;
}
