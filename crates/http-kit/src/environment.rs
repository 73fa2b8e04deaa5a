//! An environment made by hand, for the tests of this crate.

use std::sync::{Arc, Mutex};

use backbone::environment::{Clock, Environment, Ids, Secrets, Spawner};
use futures::future::BoxFuture;
use kernel::{Duration, Timestamp};
use uuid::Uuid;

/// A clock whose sleepers move it (a sleep ends as soon as nothing else can go on), or, where it
/// stands, never end.
pub(crate) struct HandMade {
    state: Mutex<(Timestamp, u64)>,
    stands: bool,
}

impl HandMade {
    pub(crate) fn running() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new((Timestamp::from_micros(1_000_000), 0)), stands: false })
    }

    pub(crate) fn standing() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new((Timestamp::from_micros(1_000_000), 0)), stands: true })
    }

    pub(crate) fn advance(&self, duration: Duration) {
        let mut state = self.state.lock().unwrap();
        state.0 = state.0.plus(duration);
    }

    pub(crate) fn environment(self: &Arc<Self>) -> Environment {
        let ticking = || Arc::new(Ticking(Arc::clone(self)));
        Environment { clock: ticking(), ids: ticking(), secrets: Arc::new(Nobody), spawner: Arc::new(Nobody) }
    }
}

struct Ticking(Arc<HandMade>);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        self.0.state.lock().unwrap().0
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let (clock, due) = (Arc::clone(&self.0), self.now().plus(duration));
        Box::pin(async move {
            if clock.stands {
                std::future::pending::<()>().await;
            }
            let mut state = clock.state.lock().unwrap();
            state.0 = state.0.max(due);
        })
    }
}

impl Ids for Ticking {
    fn uuid(&self) -> Uuid {
        let mut state = self.0.state.lock().unwrap();
        state.1 += 1;
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(state.1))
    }

    fn random(&self) -> u64 {
        let mut state = self.0.state.lock().unwrap();
        state.1 += 1;
        state.1
    }
}

struct Nobody;

impl Secrets for Nobody {
    fn bytes(&self) -> [u8; 32] {
        panic!("nothing here makes secrets");
    }
}

impl Spawner for Nobody {
    fn spawn(&self, name: &'static str, _: BoxFuture<'static, ()>) {
        panic!("nothing here starts tasks: {name}");
    }
}
