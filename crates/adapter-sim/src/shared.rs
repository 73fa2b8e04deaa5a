//! What outlives a process: the disk, the clock, the dice, the trace.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backbone::environment::Clock;
use kernel::{Duration, Timestamp};
use tokio::sync::Notify;

use crate::dice::Dice;
use crate::disk::Disk;
use crate::environment::{SimClock, SimIds, SimSecrets};
use crate::faults::Faults;
use crate::process::Process;
use crate::trace::Trace;
use crate::world::{BusKind, Settings};
use crate::writer;

/// The dice, one set per purpose.
pub(crate) struct AllDice {
    pub(crate) latency: Dice,
    pub(crate) faults: Dice,
    pub(crate) keys: Dice,
}

/// What changes.
pub(crate) struct Inside {
    pub(crate) disk: Disk,
    pub(crate) faults: Faults,
    pub(crate) dice: AllDice,
    pub(crate) trace: Trace,
    pub(crate) process: Arc<Process>,
    pub(crate) commits: u64,
    pub(crate) crashes: u64,
    pub(crate) panics: Vec<String>,
}

/// A world, as its handles share it.
pub(crate) struct Shared {
    pub(crate) seed: u64,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) ids: Arc<SimIds>,
    pub(crate) secrets: Arc<SimSecrets>,
    inside: Mutex<Inside>,
    /// The log grew, or a process died: whoever waits looks again.
    pub(crate) news: Notify,
}

/// Something takes from `first` to `last` milliseconds.
pub(crate) type Latency = std::ops::RangeInclusive<u64>;

impl Shared {
    pub(crate) fn new(seed: u64, settings: Settings) -> Arc<Self> {
        let clock = Arc::new(SimClock::new());
        let ids = Arc::new(SimIds::new(clock.clone(), Dice::new(seed, "ids")));
        let secrets = Arc::new(SimSecrets::new(Dice::new(seed, "secrets")));
        let mut disk = Disk::default();
        disk.log.is_relayed = settings.bus == BusKind::Broker;
        let inside = Inside {
            disk,
            faults: settings.faults.clone(),
            dice: AllDice {
                latency: Dice::new(seed, "latency"),
                faults: Dice::new(seed, "faults"),
                keys: Dice::new(seed, "keys"),
            },
            trace: Trace::default(),
            process: Process::new(1),
            commits: 0,
            crashes: 0,
            panics: Vec::new(),
        };
        Arc::new(Self {
            seed,
            settings,
            clock,
            ids,
            secrets,
            inside: Mutex::new(inside),
            news: Notify::new(),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Writes a line into the trace.
    pub(crate) fn note(&self, what: &str) {
        let now = self.now();
        self.lock().trace.add(now, what);
    }

    /// Lets a seeded time within `latency` pass.
    pub(crate) async fn pass(&self, latency: &Latency) {
        let wait_ms = self.lock().dice.latency.between(*latency.start(), *latency.end());
        self.sleep(Duration::from_millis(wait_ms)).await;
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        if !duration.is_zero() {
            self.clock.sleep(duration).await;
        }
    }

    /// Whether something goes wrong now, with the chance that `permille` picks. Traced.
    pub(crate) fn fails(&self, what: &str, permille: impl Fn(&Faults) -> u32) -> bool {
        let mut inside = self.lock();
        let chance = permille(&inside.faults);
        let fails = chance > 0 && inside.dice.faults.chance(chance);
        if fails {
            let now = self.now();
            inside.trace.add(now, &format!("fault: {what}"));
        }
        fails
    }

    /// The process dies. The sync that ran took effect or not, as a whole (`synced`, or by
    /// chance where nobody says); what was only queued is lost. The next process can begin at
    /// once.
    pub(crate) fn crash(&self, process: &Process, synced: Option<bool>) {
        let Some(syncing) = process.die() else { return };
        let synced = synced.unwrap_or_else(|| self.lock().dice.faults.chance(500));
        if synced {
            drop(writer::write(self, process, &syncing));
        }
        let now = self.now();
        let mut inside = self.lock();
        inside.crashes += 1;
        inside.process = Process::new(process.number + 1);
        inside.trace.add(now, &format!("process {} died", process.number));
        drop(inside);
        self.news.notify_waiters();
        // Only now do receivers learn that their answer will never come.
        drop(syncing);
    }

    pub(crate) fn panicked(&self, task: &str, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message");
        let what = format!("task {task} panicked: {text}");
        self.note(&what);
        self.lock().panics.push(what);
    }
}
