//! Time, ids, secrets and tasks of a simulated process.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use backbone::environment::{Clock, Ids, Secrets, Spawner};
use futures::FutureExt;
use futures::future::BoxFuture;
use kernel::{Duration, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

use crate::dice::Dice;
use crate::process::Process;
use crate::shared::Shared;

/// Monday 2026-01-05 10:00 UTC.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_micros(1_767_607_200_000_000);

/// The runtime's clock, which a paused runtime moves on when nothing else is to be done; shown as
/// a time of the day. Sleeps end on whole milliseconds.
pub(crate) struct SimClock {
    beginning: Instant,
    at: Timestamp,
}

impl SimClock {
    /// It is `at` now.
    pub(crate) fn beginning(at: Timestamp) -> Self {
        Self { beginning: Instant::now(), at }
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.at.plus(self.beginning.elapsed())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// UUIDv7 of simulated time, a counter that never goes back, and seeded bits: unique and growing
/// over all processes of a world.
pub(crate) struct SimIds {
    clock: Arc<SimClock>,
    state: Mutex<(u64, Dice)>,
}

impl SimIds {
    pub(crate) fn new(clock: Arc<SimClock>, dice: Dice) -> Self {
        Self { clock, state: Mutex::new((0, dice)) }
    }
}

impl Ids for SimIds {
    fn uuid(&self) -> Uuid {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, dice) = &mut *state;
        *count += 1;
        let milliseconds = self.clock.now().as_micros().unsigned_abs() / 1_000;
        // 42 bits of count: the upper 12 beside the version, the lower 30 beside the variant.
        let (upper, lower) = (u128::from((*count >> 30) & 0xFFF), u128::from(*count & 0x3FFF_FFFF));
        let random = u128::from(dice.roll() >> 32);
        Uuid::from_u128(
            (u128::from(milliseconds) << 80)
                | (7 << 76)
                | (upper << 64)
                | (0b10 << 62)
                | (lower << 32)
                | random,
        )
    }

    fn random(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.roll()
    }
}

/// Seeded, so that a run can be played again: worth nothing as secrets.
pub(crate) struct SimSecrets(Mutex<Dice>);

impl SimSecrets {
    pub(crate) fn new(dice: Dice) -> Self {
        Self(Mutex::new(dice))
    }
}

impl Secrets for SimSecrets {
    fn bytes(&self) -> [u8; 32] {
        let mut dice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&dice.roll().to_le_bytes()));
        bytes
    }
}

/// Starts tasks that die with their process.
pub(crate) struct SimSpawner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) process: Arc<Process>,
}

impl Spawner for SimSpawner {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        let shared = self.shared.clone();
        let reported = async move {
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                shared.panicked(name, &*panic);
            }
        };
        self.process.spawn(reported);
    }
}
