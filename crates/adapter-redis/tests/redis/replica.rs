//! Replicas of these tests: real time, real tasks.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use adapter_memory::Capacity;
use adapter_redis::{Options, connect};
use backbone::environment::{Clock, Environment, Ids, Secrets, Spawner};
use backbone::ephemeral::Ephemeral;
use futures::future::BoxFuture;
use kernel::{Duration, Secret, Timestamp};
use testservers::{RedisServer, skip};
use uuid::Uuid;

/// Longer than any test.
pub(crate) const LONG: Duration = Duration::from_secs(3_600);

#[derive(Default)]
struct Real(AtomicU64);

impl Clock for Real {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

impl Ids for Real {
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn random(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

impl Secrets for Real {
    fn bytes(&self) -> [u8; 32] {
        [7; 32]
    }
}

impl Spawner for Real {
    fn spawn(&self, _: &'static str, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }
}

pub(crate) fn now() -> Timestamp {
    Real::default().now()
}

/// A server of one's own; nothing where none is installed.
pub(crate) fn server() -> Option<RedisServer> {
    RedisServer::start().map_err(|missing| skip(&missing)).ok()
}

/// One more replica of a market on this server.
pub(crate) async fn replica(options: Options) -> Result<Ephemeral, String> {
    let real = Arc::new(Real::default());
    let environment =
        Environment { clock: real.clone(), ids: real.clone(), secrets: real.clone(), spawner: real };
    let few = NonZeroUsize::new(1_000).unwrap();
    let capacity = Capacity { rates: few, seen: 1_000, held: 1_000, sessions: few };
    let local = adapter_memory::ephemeral(&environment, capacity);
    connect(options, &environment, &local).await.map_err(|error| error.to_string())
}

pub(crate) async fn replica_on(server: &RedisServer) -> Ephemeral {
    replica(Options::at(Secret::new(server.url()))).await.unwrap()
}
