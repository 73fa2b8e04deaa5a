//! The promises of the ports, shown in memory, where two replicas are one process with one memory.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use adapter_memory::{Capacity, ephemeral};
use async_trait::async_trait;
use backbone::environment::{Clock, Environment, Ids, Secrets, Spawner};
use backbone::ephemeral::{Ephemeral, Quota, Session, Verdict};
use conformance::{SharedMemory, ephemeral_scenarios, prove_shared};
use futures::future::BoxFuture;
use kernel::{Duration, Timestamp};
use uuid::Uuid;

/// A clock that is moved by hand.
#[derive(Default)]
struct HandMade {
    micros: AtomicI64,
    ids: AtomicU64,
}

impl Clock for HandMade {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

impl Ids for HandMade {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(self.ids.fetch_add(1, Ordering::SeqCst).into())
    }

    fn random(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::SeqCst)
    }
}

impl Secrets for HandMade {
    fn bytes(&self) -> [u8; 32] {
        [7; 32]
    }
}

impl Spawner for HandMade {
    fn spawn(&self, name: &'static str, _: BoxFuture<'static, ()>) {
        panic!("nothing here starts tasks: {name}");
    }
}

struct Process {
    time: Arc<HandMade>,
    memory: Mutex<Ephemeral>,
}

impl Process {
    fn with(capacity: Capacity) -> Self {
        let time = Arc::new(HandMade::default());
        let environment = Environment {
            clock: time.clone(),
            ids: time.clone(),
            secrets: time.clone(),
            spawner: time.clone(),
        };
        Self { time, memory: Mutex::new(ephemeral(&environment, capacity)) }
    }

    fn memory(&self) -> Ephemeral {
        self.memory.lock().unwrap().clone()
    }
}

#[async_trait]
impl SharedMemory for Process {
    async fn replica(&self) -> Result<Ephemeral, String> {
        Ok(self.memory())
    }

    fn now(&self) -> Timestamp {
        self.time.now()
    }

    async fn pass(&self, time: Duration) {
        // What was seen once is kept for up to half a minute more.
        let time = time + Duration::from_secs(60);
        self.time.micros.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_keeps_its_promises() {
    prove_shared(ephemeral_scenarios(), || Box::new(Process::with(Capacity::default()))).await;
}

#[tokio::test]
async fn every_memory_is_bounded_and_says_or_does_what_it_must_when_it_is_full() {
    let three = NonZeroUsize::new(3).unwrap();
    let process = Process::with(Capacity { rates: three, seen: 3, held: 3, sessions: three });
    let memory = process.memory();
    let (later, hour) = (process.now().plus(Duration::from_secs(3_600)), Duration::from_secs(3_600));
    let once_an_hour = Quota { requests: 1, per: hour };
    for n in 0..3 {
        let key = n.to_string();
        assert_eq!(memory.limits.allow(&key, once_an_hour).await, Verdict::Allowed { remaining: 0 });
        assert_eq!(memory.claims.once(&key, later).await, Ok(true));
        assert!(memory.claims.claim(&key, hour).await.unwrap().is_some());
        let session = Session { person: None, data: key.clone().into() };
        memory.sessions.put(&key, session, hour).await.unwrap();
    }
    // What could be done again if it were forgotten is not forgotten: nothing new is taken.
    assert!(memory.claims.once("3", later).await.is_err());
    assert_eq!(memory.claims.once("0", later).await, Ok(false));
    assert!(memory.claims.claim("3", hour).await.is_err());
    assert_eq!(memory.claims.claim("0", hour).await, Ok(None));
    // The others forget what was used longest ago.
    memory.sessions.get("0").await.unwrap();
    memory.sessions.put("3", Session { person: None, data: "3".into() }, hour).await.unwrap();
    assert!(memory.sessions.get("0").await.unwrap().is_some());
    assert!(memory.sessions.get("1").await.unwrap().is_none());
    assert!(matches!(memory.limits.allow("0", once_an_hour).await, Verdict::Limited { .. }));
    assert_eq!(memory.limits.allow("3", once_an_hour).await, Verdict::Allowed { remaining: 0 });
    assert!(matches!(memory.limits.allow("0", once_an_hour).await, Verdict::Limited { .. }));
    assert_eq!(memory.limits.allow("1", once_an_hour).await, Verdict::Allowed { remaining: 0 });
    // What has ended makes room.
    process.pass(hour).await;
    assert_eq!(memory.claims.once("3", process.now().plus(hour)).await, Ok(true));
    assert!(memory.claims.claim("3", hour).await.unwrap().is_some());
}
