//! The promises of `backbone::ephemeral`, with two replicas that share a memory.

use async_trait::async_trait;
use backbone::ephemeral::Ephemeral;
use kernel::{Duration, Timestamp};

use crate::scenario::{Scenario, run_in, scenarios};

mod claims;
mod hints;
mod rates;
mod sessions;

/// How an adapter is started: one memory, empty when this is made and gone when it is dropped.
#[async_trait]
pub trait SharedMemory: Send + Sync + 'static {
    /// One more replica on this memory.
    async fn replica(&self) -> Result<Ephemeral, String>;

    /// The time of those who ask.
    fn now(&self) -> Timestamp;

    /// Lets at least so much time pass for the memory and those who ask.
    async fn pass(&self, time: Duration);
}

/// Two replicas on a fresh memory.
pub struct Replicas {
    memory: Box<dyn SharedMemory>,
    one: Ephemeral,
    other: Ephemeral,
}

impl Replicas {
    async fn on(memory: Box<dyn SharedMemory>) -> Result<Self, String> {
        let (one, other) = (memory.replica().await?, memory.replica().await?);
        Ok(Self { memory, one, other })
    }

    /// One replica, then the other, again and again.
    fn in_turn(&self, count: usize) -> impl Iterator<Item = &Ephemeral> {
        [&self.one, &self.other].into_iter().cycle().take(count)
    }
}

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3_600);
/// Gone before a test has to wait for long.
const SHORT: Duration = Duration::from_millis(200);
/// Longer than `SHORT`.
const LONGER: Duration = Duration::from_millis(300);

/// Every promise of what replicas share.
pub fn ephemeral_scenarios() -> Vec<Scenario<Replicas>> {
    scenarios! {
        "no more requests are allowed than the quota, on whichever replica they come", "RateLimits: allow", rates::shared;
        "of many who ask at once no more are allowed than the quota", "RateLimits: allow", rates::at_once;
        "what is allowed comes back after the time that was told", "RateLimits: allow", rates::comes_back;
        "keys do not disturb one another and what is refused does not count", "RateLimits: allow", rates::apart;
        "a quota of nothing allows nothing", "RateLimits: allow", rates::nothing;
        "what one replica saw the other one has seen", "Claims: once", claims::seen;
        "of many who see a thing at once one is the first", "Claims: once", claims::seen_at_once;
        "what was seen once is remembered until its end", "Claims: once", claims::forgotten;
        "a key is held by one and by nobody else", "Claims: claim", claims::held;
        "of many who claim a key at once one gets it", "Claims: claim", claims::held_at_once;
        "a claim ends by itself", "Claims: claim", claims::ends;
        "a release that comes too late frees nobody else's claim", "Claims: release", claims::late_release;
        "what is seen and what is held are different things", "Claims", claims::apart;
        "a session is read on every replica, and replaced as a whole", "Sessions: put", sessions::put;
        "a session ends by itself, later where it was touched", "Sessions: touch", sessions::ends;
        "a session that was deleted is gone everywhere", "Sessions: delete", sessions::deleted;
        "all sessions of a person end and nobody else's", "Sessions: delete_all_of", sessions::all_of_a_person;
        "a session keeps any bytes, up to a size", "Sessions: put", sessions::bytes;
        "a hint is heard on every replica, and by those who listen to its topic", "Hints: tell", hints::heard;
        "what was told before somebody listened is not heard", "Hints: listen", hints::from_now_on;
        "many hints are told without waiting", "Hints: tell", hints::many;
    }
}

/// Runs all of them and panics with every failure by name.
pub async fn prove_shared(scenarios: Vec<Scenario<Replicas>>, memory: impl Fn() -> Box<dyn SharedMemory>) {
    if let Err(failures) = run_in(&scenarios, || Replicas::on(memory())).await {
        panic!("{failures}");
    }
}
