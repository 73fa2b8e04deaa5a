//! What outlives a process: the disk, the clock, the dice, the trace.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backbone::bus::Lost;
use backbone::environment::Clock;
use kernel::{Duration, Timestamp};
use tokio::sync::Notify;

use crate::dice::Dice;
use crate::disk::Disk;
use crate::environment::{SimClock, SimIds, SimSecrets};
use crate::faults::Faults;
use crate::process::Process;
use crate::snapshot::Snapshot;
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
    /// The process of each replica, and last the one that only looks on.
    pub(crate) processes: Vec<Arc<Process>>,
    /// How many processes there were.
    pub(crate) started: u64,
    pub(crate) commits: u64,
    /// How many processes of each replica died.
    pub(crate) crashes: Vec<u64>,
    /// How often the broker broke all its connections.
    pub(crate) broker_breaks: u64,
    pub(crate) panics: Vec<String>,
    /// What the broker lost.
    pub(crate) lost: Vec<Lost>,
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
    pub(crate) fn new(seed: u64, settings: Settings, Snapshot { mut disk, at }: Snapshot) -> Arc<Self> {
        let clock = Arc::new(SimClock::beginning(at));
        let ids = Arc::new(SimIds::new(clock.clone(), Dice::new(seed, "ids")));
        let secrets = Arc::new(SimSecrets::new(Dice::new(seed, "secrets")));
        let is_broker = settings.bus == BusKind::Broker;
        disk.log.is_relayed = is_broker;
        disk.log.partitions = if is_broker { settings.partitions } else { 1 };
        let replicas = settings.replicas;
        let mut processes: Vec<_> =
            (0..replicas).map(|replica| Process::new(replica as u64 + 1, replica)).collect();
        processes.push(Process::new(0, replicas));
        let inside = Inside {
            disk,
            faults: settings.faults.clone(),
            dice: AllDice {
                latency: Dice::new(seed, "latency"),
                faults: Dice::new(seed, "faults"),
                keys: Dice::new(seed, "keys"),
            },
            trace: Trace::default(),
            processes,
            started: replicas as u64,
            commits: 0,
            crashes: vec![0; replicas + 1],
            broker_breaks: 0,
            panics: Vec::new(),
            lost: Vec::new(),
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
    /// chance where nobody says) or, where writes tear, the first of its commits did; what was only
    /// queued is lost. The next process can begin at once.
    pub(crate) fn crash(&self, process: &Process, synced: Option<bool>) {
        let Some(syncing) = process.die() else { return };
        let written = match synced {
            Some(synced) => {
                if synced {
                    syncing.len()
                } else {
                    0
                }
            }
            None => self.written(syncing.len()),
        };
        drop(writer::write(self, process, &syncing[..written]));
        self.succeed(process, "died");
        self.lock().crashes[process.replica] += 1;
        self.news.notify_waiters();
        // Only now do receivers learn that their answer will never come.
        drop(syncing);
    }

    /// How many commits of a sync of `count` were written when the process died, by chance.
    fn written(&self, count: usize) -> usize {
        let mut inside = self.lock();
        let Inside { faults, dice, .. } = &mut *inside;
        if faults.torn_permille > 0 && dice.faults.chance(faults.torn_permille) {
            return dice.faults.below(count as u64 + 1) as usize;
        }
        if dice.faults.chance(500) { count } else { 0 }
    }

    /// Another process takes a process's place.
    pub(crate) fn succeed(&self, process: &Process, end: &str) {
        let now = self.now();
        let mut inside = self.lock();
        inside.started += 1;
        let (number, replica) = (inside.started, process.replica);
        inside.processes[replica] = Process::new(number, replica);
        inside.trace.add(now, &format!("process {} of replica {replica} {end}", process.number));
    }

    pub(crate) fn panicked(&self, task: &str, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message");
        let what = format!("task {task} panicked: {text}");
        self.note(&what);
        self.lock().panics.push(what);
    }
}
