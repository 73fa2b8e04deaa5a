//! A module that does as it is told, and the world around it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use backbone::calls::{CallError, CallReply, CallRequest, Calls};
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use backbone::environment::{Clock, Environment, Ids, Secrets, Spawner};
use backbone::keyring::{DataKey, Error, KeyRing, PersonKey};
use backbone::reaction::on;
use backbone::{Document, Module, Refusal, Rejection, Workspace};
use futures::future::BoxFuture;
use kernel::{ErrorKind, Event, EventType, Personal, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(super) use super::bench::Bench;

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
        consumers: &["probe", "other"],
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

/// The machine's clock, or one that is so many times as fast from the beginning of the tests on.
pub(super) struct TestClock {
    pub(super) speed: u32,
}

/// The same moment, as both say it.
static BEGINNING: LazyLock<(SystemTime, Instant)> = LazyLock::new(|| (SystemTime::now(), Instant::now()));

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let (at, begun) = *BEGINNING;
        let since = at.duration_since(std::time::UNIX_EPOCH).unwrap() + begun.elapsed() * self.speed;
        Timestamp::from_micros(since.as_micros() as i64)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration / self.speed))
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
        clock: Arc::new(TestClock { speed: 1 }),
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
