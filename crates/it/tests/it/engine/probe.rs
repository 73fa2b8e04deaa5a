//! A module that does as it is told, and the engine around it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backbone::bus::Bus;
use backbone::calls::{CallError, CallReply, CallRequest, Calls};
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use backbone::environment::{Clock, Environment, Ids, Secrets, Spawner};
use backbone::keyring::{DataKey, Error, KeyRing, PersonKey};
use backbone::reaction::on;
use backbone::work::{Done, Origin, Work};
use backbone::{Context, Document, Module, Refusal, Rejection, Workspace};
use engine::{Engine, Options, Parts, Running};
use futures::future::BoxFuture;
use kernel::{ErrorKind, Event, EventType, Personal, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// A public event that says what its handler is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ping {
    /// The ordering key.
    pub(super) key: Uuid,
    /// Its number among the key's.
    pub(super) n: u64,
    /// Something personal about the key.
    pub(super) secret: Personal<String>,
}

impl Event for Ping {
    const TYPE: EventType = EventType {
        name: "probe.ping.v1",
        subject: "key",
        producer: "probe",
        consumers: &["probe"],
        fields: &[],
        personal: &["secret"],
        subject_of_data: Some("key"),
    };

    fn subject(&self) -> Uuid {
        self.key
    }

    fn person(&self) -> Option<Uuid> {
        Some(self.key)
    }
}

/// What the handler saw of a key, in order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) key: Uuid,
    pub(super) order: Vec<u64>,
    pub(super) last_secret: Option<Personal<String>>,
}

pub(super) const SEEN: Collection =
    Collection { name: "seen", columns: &[Column::indexed("count", ColumnKind::Integer)], children: &[] };

impl Document for Seen {
    const COLLECTION: &'static Collection = &SEEN;
    const PERSONAL: &'static [&'static str] = &["last_secret"];

    fn id(&self) -> String {
        self.key.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![(self.order.len() as i64).into()]
    }

    fn person(&self) -> Option<Uuid> {
        Some(self.key)
    }
}

/// How deliveries behave: by (key, number), how often they still fail and how.
#[derive(Default)]
pub(super) struct Orders {
    pub(super) failures: Mutex<BTreeMap<(Uuid, u64), (u32, Misbehaviour)>>,
    pub(super) deliveries: Mutex<BTreeMap<(Uuid, u64), u32>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Misbehaviour {
    Transient,
    Permanent,
    Panic,
}

impl Orders {
    pub(super) fn fail(&self, key: Uuid, n: u64, times: u32, how: Misbehaviour) {
        self.failures.lock().unwrap().insert((key, n), (times, how));
    }

    pub(super) fn delivered(&self, key: Uuid, n: u64) -> u32 {
        self.deliveries.lock().unwrap().get(&(key, n)).copied().unwrap_or(0)
    }

    fn obey(&self, key: Uuid, n: u64) -> Result<(), Refusal> {
        *self.deliveries.lock().unwrap().entry((key, n)).or_default() += 1;
        let told = {
            let mut failures = self.failures.lock().unwrap();
            let Some((times, how)) = failures.get_mut(&(key, n)) else { return Ok(()) };
            if *times == 0 {
                return Ok(());
            }
            *times -= 1;
            *how
        };
        match told {
            Misbehaviour::Transient => Err(Refusal::failed(ErrorKind::Transient, "told to fail")),
            Misbehaviour::Permanent => Err(Rejection::invalid("told", "told to refuse").into()),
            Misbehaviour::Panic => panic!("told to panic"),
        }
    }
}

pub(super) fn see(ping: &Ping, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let seen = ws.get::<Seen>(ping.key)?;
    let mut seen = seen.map_or_else(|| Seen { key: ping.key, ..Seen::default() }, Arc::unwrap_or_clone);
    seen.order.push(ping.n);
    seen.last_secret = Some(ping.secret.clone());
    ws.put(seen)
}

pub(super) fn probe_module(orders: Arc<Orders>) -> Module {
    let react = on::<Ping>(move |ping, ws| {
        // State first: a decision that only waits for state is not a delivery.
        ws.get::<Seen>(ping.key)?;
        orders.obey(ping.key, ping.n)?;
        see(ping, ws)
    });
    Module {
        publishes: vec![&Ping::TYPE],
        reactions: vec![react],
        collections: vec![&SEEN],
        ..Module::new("probe")
    }
}

// ── the world ───────────────────────────────────────────────────────────────────────────────────

struct TestClock;

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_micros(since.as_micros() as i64)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

struct TestIds;

impl Ids for TestIds {
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn random(&self) -> u64 {
        kernel::stable_hash(self.uuid().as_bytes())
    }
}

impl Secrets for TestIds {
    fn bytes(&self) -> [u8; 32] {
        panic!("the probe needs no secrets")
    }
}

struct TestSpawner;

impl Spawner for TestSpawner {
    fn spawn(&self, _: &'static str, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }
}

/// The machine's time, ids and tasks.
pub(super) fn environment() -> Environment {
    Environment {
        clock: Arc::new(TestClock),
        ids: Arc::new(TestIds),
        secrets: Arc::new(TestIds),
        spawner: Arc::new(TestSpawner),
    }
}

/// A key ring in memory: the file one is tested beside its adapter.
#[derive(Default)]
pub(super) struct MemoryKeys {
    keys: Mutex<BTreeMap<Uuid, PersonKey>>,
    /// One after the other, each in its turn, where it takes time.
    turn: tokio::sync::Mutex<()>,
    takes_time: AtomicBool,
}

impl MemoryKeys {
    /// From now on it answers one after the other, and not at once.
    pub(super) fn take_time(&self) {
        self.takes_time.store(true, Ordering::SeqCst);
    }

    async fn wait(&self) {
        if self.takes_time.load(Ordering::SeqCst) {
            let _turn = self.turn.lock().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[async_trait]
impl KeyRing for MemoryKeys {
    fn master_id(&self) -> String {
        "test".to_owned()
    }

    async fn ensure(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error> {
        self.wait().await;
        let mut keys = self.keys.lock().unwrap();
        let make = |person: &Uuid| {
            let mut key = [0; 32];
            key[..16].copy_from_slice(person.as_bytes());
            keys.entry(*person).or_insert(PersonKey::Known(DataKey(key))).clone()
        };
        Ok(persons.iter().map(make).collect())
    }

    async fn find(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error> {
        self.wait().await;
        let keys = self.keys.lock().unwrap();
        Ok(persons.iter().map(|person| keys.get(person).cloned().unwrap_or(PersonKey::Absent)).collect())
    }

    async fn erase(&self, person: Uuid) -> Result<(), Error> {
        self.keys.lock().unwrap().insert(person, PersonKey::Erased);
        Ok(())
    }
}

pub(super) struct NoCalls;

#[async_trait]
impl Calls for NoCalls {
    async fn call(&self, request: CallRequest) -> Result<CallReply, CallError> {
        Err(CallError::Unreachable { to: request.spec.to, reason: "nobody is there".to_owned() })
    }
}

/// The engine with one module on a directory.
pub(super) struct Bench {
    pub(super) context: Context,
    pub(super) store: adapter_sqlite::Store,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) keys: Arc<MemoryKeys>,
    pub(super) engine_keys: Arc<engine::Keys>,
    pub(super) running: Running,
    directory: PathBuf,
}

impl Bench {
    /// Opens the directory and starts a module on it.
    pub(super) async fn start(
        directory: &Path,
        keys: Arc<MemoryKeys>,
        make: impl FnOnce(&Context) -> Module,
    ) -> Self {
        let store = adapter_sqlite::Store::open(directory, adapter_sqlite::Options::default()).unwrap();
        let environment = environment();
        let bus = store.bus();
        let parts = Parts { environment, storage: store.storage(), bus: bus.clone(), keyring: keys.clone() };
        let mut engine = Engine::new(parts);
        let context = engine.context("probe", Arc::new(NoCalls));
        let engine_keys = engine.keys();
        engine.mount(make(&context)).unwrap();
        let crashed = !store.was_clean_shutdown();
        let running = engine.start(Options { crashed }).await.unwrap();
        Self { context, store, bus, keys, engine_keys, running, directory: directory.to_owned() }
    }

    /// A bench with the probe on a new directory.
    pub(super) async fn probe(directory: &Path, orders: &Arc<Orders>) -> Self {
        Self::start(directory, Arc::default(), |_| probe_module(orders.clone())).await
    }

    /// Stops everything in order.
    pub(super) async fn stop(self) -> PathBuf {
        let Self { running, store, directory, context, .. } = self;
        drop(context);
        running.shut_down().await;
        store.close().unwrap();
        directory
    }

    /// Publishes pings, one commit.
    pub(super) async fn ping(&self, pings: &[(Uuid, u64)]) -> Done {
        let pings = pings.to_vec();
        let work = Work::new("ping", Origin::default(), move |ws| {
            for (key, n) in &pings {
                ws.publish(Ping { key: *key, n: *n, secret: format!("secret of {key}").into() });
            }
            Ok(Value::Null)
        });
        self.context.commands.execute(work).await.unwrap()
    }

    /// What the handler saw of a key.
    pub(super) async fn seen(&self, key: Uuid) -> Vec<u64> {
        self.context.get::<Seen>(key).await.unwrap().map_or_else(Vec::new, |seen| seen.document.order)
    }

    /// Waits until a key was seen like this.
    pub(super) async fn until_seen(&self, key: Uuid, wanted: &[u64]) {
        for _ in 0..1_000 {
            if self.seen(key).await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("saw {:?} of {key}, wanted {wanted:?}", self.seen(key).await);
    }

    /// Waits until there are so many dead letters, and gives them.
    pub(super) async fn until_dead(&self, count: usize) -> Vec<(String, backbone::system::DeadLetter)> {
        for _ in 0..1_500 {
            let found = self.running.dead_letters().list("probe", None, 100).await.unwrap();
            if found.len() == count {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never {count} dead letters");
    }
}
