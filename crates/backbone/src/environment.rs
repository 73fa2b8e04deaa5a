//! Time, ids, randomness and tasks come from here and nowhere else, so that a simulation owns
//! them: the same seed gives the same run.

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
    /// Uniformly random bits (jitter; never keys).
    fn random(&self) -> u64;
}

/// Starts tasks.
pub trait Spawner: Send + Sync + 'static {
    /// Starts a task; `name` is for diagnosis. A task that panics is reported, not hidden.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>);
}

/// The three of them.
#[derive(Clone)]
pub struct Environment {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The ids.
    pub ids: Arc<dyn Ids>,
    /// The tasks.
    pub spawner: Arc<dyn Spawner>,
}
