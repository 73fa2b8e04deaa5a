//! The real clock, ids, secrets and tasks: the only place where they are read.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use backbone::environment::{Clock, Environment, Ids, Secrets, Spawner};
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

/// The system's cryptographic randomness.
pub struct SystemSecrets(SystemRandom);

impl Secrets for SystemSecrets {
    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        // Where the system gives none, a key that can be guessed would be worse than a panic.
        self.0.fill(&mut bytes).expect("the system gives randomness");
        bytes
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

/// All of them.
pub fn system() -> Environment {
    Environment {
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
        secrets: Arc::new(SystemSecrets(SystemRandom::new())),
        spawner: Arc::new(SystemSpawner),
    }
}

#[cfg(test)]
mod tests {
    use super::system;

    #[test]
    fn a_secret_is_never_given_twice() {
        let secrets = system().secrets;
        let made: std::collections::BTreeSet<_> = (0..100).map(|_| secrets.bytes()).collect();
        assert_eq!(made.len(), 100);
    }
}
