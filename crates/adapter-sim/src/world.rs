//! The simulated world, as a test holds it.

use std::sync::Arc;

use backbone::bus::Bus;
use backbone::environment::Environment;
use backbone::journal::Storage;
use backbone::keyring::KeyRing;
use kernel::Timestamp;

use crate::broker::Queue;
use crate::bus::SimBus;
use crate::dice::Dice;
use crate::effects::Effect;
use crate::environment::SimSpawner;
use crate::faults::{CommitFault, Faults};
use crate::keyring::SimKeyRing;
use crate::plight::{Side, Within};
use crate::process::Process;
use crate::shared::{Latency, Shared};
use crate::snapshot::Snapshot;
use crate::storage::SimStorage;

/// How the bus behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusKind {
    /// The embedded log: consumers read by position and commit it.
    Log,
    /// A broker: a relay publishes what commits hold, consumers have no positions, deliveries may
    /// come again, and the inbox keeps them apart.
    Broker,
}

/// How the world is. Times are seeded, between the two bounds, both included.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How the bus behaves.
    pub bus: BusKind,
    /// Over how many partitions a broker spreads the subjects of a context.
    pub partitions: u32,
    /// How many processes share the store, each with a broker between its services.
    pub replicas: usize,
    /// How long a sync takes.
    pub sync_time_ms: Latency,
    /// How long a read takes.
    pub read_time_ms: Latency,
    /// How long a fetch takes before it looks.
    pub delivery_time_ms: Latency,
    /// The most commits in one sync.
    pub batch_max: usize,
    /// What goes wrong from the start.
    pub faults: Faults,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bus: BusKind::Log,
            partitions: 1,
            replicas: 1,
            sync_time_ms: 1..=4,
            read_time_ms: 0..=1,
            delivery_time_ms: 0..=2,
            batch_max: 256,
            faults: Faults::default(),
        }
    }
}

/// A world in memory, as one of its replicas sees it: one disk, one broker, one key store, and one
/// process after another that uses them. Clones are the same. Must be made on the runtime that it
/// runs on.
#[derive(Clone)]
pub struct SimWorld {
    pub(crate) shared: Arc<Shared>,
    replica: usize,
}

impl SimWorld {
    /// A world without faults and with an embedded log.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, Settings::default())
    }

    /// A world as `settings` say.
    pub fn with(seed: u64, settings: Settings) -> Self {
        Self::from(seed, settings, Snapshot::default())
    }

    /// A world that begins with what was durable in another.
    pub fn from(seed: u64, settings: Settings, snapshot: Snapshot) -> Self {
        assert!(
            settings.replicas == 1 || settings.bus == BusKind::Broker,
            "the embedded log is part of a store that one process alone writes"
        );
        Self { shared: Shared::new(seed, settings, snapshot), replica: 0 }
    }

    /// What is durable now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { disk: self.shared.lock().disk.clone(), at: self.now() }
    }

    /// The same world as its replica with this number sees it, from 0.
    pub fn replica(&self, number: usize) -> Self {
        assert!(number < self.shared.settings.replicas, "there is no replica {number}");
        Self { shared: self.shared.clone(), replica: number }
    }

    /// The same world as somebody sees it who only looks on: nothing takes time or goes wrong.
    pub fn observer(&self) -> Self {
        Self { shared: self.shared.clone(), replica: self.shared.settings.replicas }
    }

    /// The seed, for the message of a failing test.
    pub fn seed(&self) -> u64 {
        self.shared.seed
    }

    /// Dice from the world's seed for the test's own choices.
    pub fn dice(&self, purpose: &str) -> Dice {
        Dice::new(self.shared.seed, &format!("test: {purpose}"))
    }

    fn process(&self) -> Arc<Process> {
        self.shared.lock().processes[self.replica].clone()
    }

    // ── what the process that runs now has ──────────────────────────────────────────────────
    // Whatever was taken for a process is useless once it has died: take it again.

    /// Its time, ids, secrets and tasks.
    pub fn environment(&self) -> Environment {
        let shared = self.shared.clone();
        Environment {
            clock: shared.clock.clone(),
            ids: shared.ids.clone(),
            secrets: shared.secrets.clone(),
            spawner: Arc::new(SimSpawner { process: self.process(), shared }),
        }
    }

    /// Its door to the disk.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(SimStorage { shared: self.shared.clone(), process: self.process() })
    }

    /// Its door to the bus.
    pub fn bus(&self) -> Arc<dyn Bus> {
        Arc::new(SimBus { shared: self.shared.clone(), process: self.process() })
    }

    /// Its door to the keys.
    pub fn keyring(&self) -> Arc<dyn KeyRing> {
        Arc::new(SimKeyRing { shared: self.shared.clone(), process: self.process() })
    }

    // ── what goes wrong ─────────────────────────────────────────────────────────────────────

    /// Kills the process: its tasks end where they stand, queued commits are lost, those in the
    /// sync that runs are written or lost together, by chance. The next process can begin at
    /// once.
    pub fn crash(&self) {
        let process = self.process();
        self.shared.crash(&process, None);
    }

    /// Ends the process, whose tasks have ended in order: the next one can begin at once.
    pub fn end(&self) {
        let process = self.process();
        if process.die().is_some() {
            self.shared.succeed(&process, "ended");
        }
    }

    /// Stops the process where it stands while the clock goes on, as a machine does that is moved or
    /// swaps. With `holds`, what it had submitted arrives only when it goes on.
    pub fn pause(&self, holds: bool) {
        let process = self.process();
        self.shared.note(&format!("process {} stands still", process.number));
        process.plight.pause(holds);
    }

    /// It goes on, and believes what it believed.
    pub fn resume(&self) {
        let process = self.process();
        self.shared.note(&format!("process {} goes on", process.number));
        process.plight.resume();
    }

    /// The process reaches one of those that it talks to no more, until `heal`.
    pub fn cut(&self, side: Side) {
        let process = self.process();
        self.shared.note(&format!("process {} is cut off from {side:?}", process.number));
        process.plight.cut(side);
        // Those who wait for the broker look up.
        self.shared.news.notify_waiters();
    }

    /// The process reaches everybody again.
    pub fn heal(&self) {
        self.process().plight.heal();
    }

    /// The broker dies and starts again: all connections break, what was on its way to it is lost
    /// or not, and whatever was not acknowledged comes again.
    pub fn crash_broker(&self) {
        self.shared.note("the broker died");
        let mut inside = self.shared.lock();
        inside.broker_breaks += 1;
        inside.disk.queues.values_mut().for_each(Queue::break_off);
        drop(inside);
        self.shared.news.notify_waiters();
    }

    /// Does something of the process that it does not spawn itself, a request that came to it: it
    /// stands still while the process does.
    pub fn within<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        Within::new(self.process(), future)
    }

    /// How many processes of this replica have died.
    pub fn crashes(&self) -> u64 {
        self.shared.lock().crashes[self.replica]
    }

    /// Waits until more than `seen` processes of this replica have died; gives how many.
    pub async fn crashed(&self, seen: u64) -> u64 {
        loop {
            let news = self.shared.news.notified();
            let crashes = self.crashes();
            if crashes > seen {
                return crashes;
            }
            news.await;
        }
    }

    /// Changes what goes wrong from now on: `world.faults(|faults| *faults = Faults::default())`
    /// ends all of it.
    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.shared.lock().faults);
    }

    /// Lets something happen to the `number`-th commit of this world, in the order of submit,
    /// counted from 1 over all processes and services.
    pub fn at(&self, number: u64, fault: CommitFault) {
        self.shared.lock().faults.at.insert(number, fault);
    }

    // ── what happened ───────────────────────────────────────────────────────────────────────

    /// What a service's consumers took in, in the order in which it became durable, where they keep
    /// inboxes.
    pub fn effects(&self, service: &str) -> Vec<Effect> {
        let inside = self.shared.lock();
        inside.disk.services.get(service).map_or_else(Vec::new, |service| service.effects.clone())
    }

    /// How many commits were submitted.
    pub fn commits(&self) -> u64 {
        self.shared.lock().commits
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Writes a line of the test's own into the trace.
    pub fn note(&self, what: &str) {
        self.shared.note(what);
    }

    /// What happened: commits with their outcomes, publications, faults, deaths. The last
    /// 100,000 lines.
    pub fn trace(&self) -> Vec<String> {
        self.shared.lock().trace.lines()
    }

    /// A hash of everything that ever happened: the same seed gives the same.
    pub fn trace_hash(&self) -> u64 {
        self.shared.lock().trace.hash()
    }

    /// The tasks that panicked, with their messages: a simulation that ends well has none.
    pub fn panics(&self) -> Vec<String> {
        self.shared.lock().panics.clone()
    }
}
