//! Time, ids, randomness, secrets and tasks come from here and nowhere else, so that a simulation
//! owns them: the same seed gives the same run.

use std::sync::Arc;

use futures::future::BoxFuture;
use kernel::{Duration, Timestamp};
use uuid::Uuid;

/// The clock.
pub trait Clock: Send + Sync + 'static {
    /// Now, UTC.
    fn now(&self) -> Timestamp;
    /// Waits.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The source of ids and randomness.
pub trait Ids: Send + Sync + 'static {
    /// A new UUIDv7; later ones sort after earlier ones.
    fn uuid(&self) -> Uuid;
    /// Uniformly random bits (jitter; never keys: those come from `Secrets`).
    fn random(&self) -> u64;
}

/// The source of whatever must not be guessed: keys, tokens, codes. Ids will not do: they tell the
/// time, follow one another, and their randomness promises uniqueness, not secrecy.
pub trait Secrets: Send + Sync + 'static {
    /// 32 fresh bytes that nobody can guess, whatever else they have seen. Only a simulation's and
    /// a test's follow from a seed.
    fn bytes(&self) -> [u8; 32];
}

/// Starts tasks.
pub trait Spawner: Send + Sync + 'static {
    /// Starts a task; `name` is for diagnosis. A task that panics is reported, not hidden.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>);
}

/// All of them.
#[derive(Clone)]
pub struct Environment {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The ids.
    pub ids: Arc<dyn Ids>,
    /// The secrets.
    pub secrets: Arc<dyn Secrets>,
    /// The tasks.
    pub spawner: Arc<dyn Spawner>,
}
