//! The real clock, ids and tasks: the only place where they are read.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use backbone::environment::{Clock, Environment, Ids, Spawner};
use futures::FutureExt;
use futures::future::BoxFuture;
use kernel::{Duration, Timestamp};
use uuid::Uuid;

/// The wall clock and the runtime's timer.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Real ids.
pub struct SystemIds;

impl Ids for SystemIds {
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn random(&self) -> u64 {
        kernel::stable_hash(Uuid::now_v7().as_bytes())
    }
}

/// Tasks on the runtime. Decisions and handlers catch their own panics; one that comes through
/// is a defect of the engine, after which nothing can be trusted but what is on disk: the process
/// ends, and the next start resumes from there.
pub struct SystemSpawner;

impl Spawner for SystemSpawner {
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        tokio::spawn(async move {
            if std::panic::AssertUnwindSafe(task).catch_unwind().await.is_err() {
                tracing::error!(
                    task = name,
                    "a task of the engine panicked: the process ends, start it again"
                );
                std::process::exit(70);
            }
        });
    }
}

/// All three.
pub fn system() -> Environment {
    Environment { clock: Arc::new(SystemClock), ids: Arc::new(SystemIds), spawner: Arc::new(SystemSpawner) }
}
