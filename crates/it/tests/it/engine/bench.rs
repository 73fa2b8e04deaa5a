//! A process: the engine with its modules on a place, and how a scenario looks at it.

use std::sync::Arc;
use std::time::Duration;

use backbone::bus::{Bus, Subscription};
use backbone::journal::Journal;
use backbone::system::DeadLetter;
use backbone::work::{Done, Origin, Work};
use backbone::{Context, Module};
use engine::{Engine, Options, Parts, Running, StartError};
use serde_json::Value;
use uuid::Uuid;

use super::faulty::Faults;
use super::machine::Machine;
use super::place::Place;
use super::probe::{MemoryKeys, NoCalls, Orders, Ping, Seen, TestClock, environment, probe_module};

/// How long a scenario waits for what is to come.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_PAUSE: Duration = Duration::from_millis(10);

/// The engine with modules on a place.
pub(super) struct Bench {
    /// The probe's.
    pub(super) context: Context,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) keys: Arc<MemoryKeys>,
    pub(super) engine_keys: Arc<engine::Keys>,
    pub(super) running: Running,
    pub(super) machine: Machine,
    store: Option<adapter_sqlite::Store>,
}

impl Bench {
    /// Starts a module on a directory or a place.
    pub(super) async fn start(
        place: impl Into<Place>,
        keys: Arc<MemoryKeys>,
        make: impl FnOnce(&Context) -> Module,
    ) -> Self {
        Self::begin(&place.into(), keys, |context| vec![make(context)], None).await.unwrap()
    }

    /// The probe.
    pub(super) async fn probe(place: impl Into<Place>, orders: &Arc<Orders>) -> Self {
        Self::start(place, Arc::default(), |_| probe_module(orders.clone())).await
    }

    /// Runs the probe once, so that the broker knows its consumer: a new one takes from the journals what
    /// was published before it.
    pub(super) async fn make_known(place: &Place) {
        let (bench, key) = (Self::probe(place, &Arc::default()).await, Uuid::now_v7());
        bench.ping(&[(key, 1)]).await;
        bench.until_seen(key, &[1]).await;
        let (consumer, service) = ("probe-probe".to_owned(), "probe");
        let reads = Subscription { consumer, service, context: "probe", partition: 0, after: None };
        let is_known = async || bench.bus.knows(&reads).await.unwrap_or(false);
        assert!(until(is_known, |is_known| *is_known).await, "the broker never knows it");
        bench.stop().await;
    }

    /// Starts several modules.
    pub(super) async fn of(place: &Place, modules: Vec<Module>) -> Self {
        Self::begin(place, Arc::default(), |_| modules, None).await.unwrap()
    }

    /// Starts modules with something between the engine and its ports that fails.
    pub(super) async fn failing(place: &Place, modules: Vec<Module>, faults: &Arc<Faults>) -> Self {
        Self::begin(place, Arc::default(), |_| modules, Some(faults)).await.unwrap()
    }

    /// The same, where it may die before it has started.
    pub(super) async fn try_failing(
        place: &Place,
        modules: Vec<Module>,
        faults: &Arc<Faults>,
    ) -> Option<Self> {
        Self::begin(place, Arc::default(), |_| modules, Some(faults)).await.ok()
    }

    async fn begin(
        place: &Place,
        keys: Arc<MemoryKeys>,
        make: impl FnOnce(&Context) -> Vec<Module>,
        faults: Option<&Arc<Faults>>,
    ) -> Result<Self, StartError> {
        let machine = Machine::default();
        let clock = Arc::new(TestClock { speed: place.speed() });
        let environment =
            backbone::environment::Environment { clock, spawner: Arc::new(machine.clone()), ..environment() };
        let opened = place.open().await;
        let (storage, bus) = match faults {
            Some(faults) => (faults.before_storage(opened.storage), faults.before_bus(opened.bus)),
            None => (opened.storage, opened.bus),
        };
        let parts = Parts { environment, storage, bus: bus.clone(), keyring: keys.clone() };
        let mut engine = Engine::new(parts);
        let context = engine.context("probe", Arc::new(NoCalls));
        let engine_keys = engine.keys();
        for module in make(&context) {
            engine.context(module.service, Arc::new(NoCalls));
            engine.mount(module).unwrap();
        }
        let crashed = opened.store.as_ref().is_some_and(|store| !store.was_clean_shutdown());
        let running = match engine.start(Options { crashed }).await {
            Ok(running) => running,
            Err(error) => {
                machine.kill().await;
                return Err(error);
            }
        };
        Ok(Self { context, bus, keys, engine_keys, running, machine, store: opened.store })
    }
}

impl Bench {
    /// Stops everything in order.
    pub(super) async fn stop(self) {
        let Self { running, store, context, machine, .. } = self;
        drop(context);
        running.shut_down().await;
        // What waits for the end of its process ends as well, and gives its connections back.
        machine.kill().await;
        if let Some(store) = store {
            store.close().unwrap();
        }
    }

    /// Ends without a word, as by SIGKILL.
    pub(super) async fn kill(self) {
        self.machine.kill().await;
    }

    /// The embedded store.
    pub(super) fn store(&self) -> &adapter_sqlite::Store {
        self.store.as_ref().expect("it is embedded")
    }

    /// The probe's journal.
    pub(super) fn journal(&self) -> Arc<dyn Journal> {
        self.running.host("probe").unwrap().journal().clone()
    }

    /// Publishes pings, one commit.
    pub(super) async fn ping(&self, pings: &[(Uuid, u64)]) -> Done {
        self.try_to_ping(pings).await.unwrap()
    }

    /// Publishes pings, one commit, where that can be done.
    pub(super) async fn try_to_ping(&self, pings: &[(Uuid, u64)]) -> Result<Done, backbone::work::Error> {
        let pings = pings.to_vec();
        let work = Work::new("ping", Origin::default(), move |ws| {
            for (key, n) in &pings {
                ws.publish(Ping { key: *key, n: *n, secret: format!("secret of {key}").into() });
            }
            Ok(Value::Null)
        });
        self.context.commands.execute(work).await
    }

    /// What the handler saw of a key.
    pub(super) async fn seen(&self, key: Uuid) -> Vec<u64> {
        self.context.get::<Seen>(key).await.unwrap().map_or_else(Vec::new, |seen| seen.document.order)
    }

    /// Waits until a key was seen like this.
    pub(super) async fn until_seen(&self, key: Uuid, wanted: &[u64]) {
        let seen = || self.seen(key);
        let found = until(seen, |seen| *seen == wanted).await;
        assert_eq!(found, wanted, "of {key}");
    }

    /// Waits until there are so many dead letters, and gives them.
    pub(super) async fn until_dead(&self, count: usize) -> Vec<(String, DeadLetter)> {
        let list = async || self.running.dead_letters().list("probe", None, 100).await.unwrap();
        let found = until(list, |found| found.len() == count).await;
        assert_eq!(found.len(), count, "dead letters: {found:?}");
        found
    }
}

/// Looks until it finds what is wanted, or gives what it found last.
pub(super) async fn until<T, F: Future<Output = T>>(look: impl Fn() -> F, is_it: impl Fn(&T) -> bool) -> T {
    let begun = tokio::time::Instant::now();
    loop {
        let found = look().await;
        if is_it(&found) || begun.elapsed() > PATIENCE {
            return found;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}
