//! The simulated world, as a test holds it.

use std::sync::Arc;

use backbone::bus::Bus;
use backbone::environment::Environment;
use backbone::journal::Storage;
use backbone::keyring::KeyRing;
use kernel::Timestamp;

use crate::bus::SimBus;
use crate::dice::Dice;
use crate::environment::SimSpawner;
use crate::faults::{CommitFault, Faults};
use crate::keyring::SimKeyRing;
use crate::process::Process;
use crate::shared::{Latency, Shared};
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
            sync_time_ms: 1..=4,
            read_time_ms: 0..=1,
            delivery_time_ms: 0..=2,
            batch_max: 256,
            faults: Faults::default(),
        }
    }
}

/// A world in memory: one disk, one broker, one key store, and one process after another that
/// uses them. Clones are the same world. Must be made on the runtime that it runs on.
#[derive(Clone)]
pub struct SimWorld {
    shared: Arc<Shared>,
}

impl SimWorld {
    /// A world without faults and with an embedded log.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, Settings::default())
    }

    /// A world as `settings` say.
    pub fn with(seed: u64, settings: Settings) -> Self {
        Self { shared: Shared::new(seed, settings) }
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
        self.shared.lock().process.clone()
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

    /// How many processes have died.
    pub fn crashes(&self) -> u64 {
        self.shared.lock().crashes
    }

    /// Waits until more than `seen` processes have died; gives how many.
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
