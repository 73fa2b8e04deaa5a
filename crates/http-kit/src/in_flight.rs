//! One request at a time under an idempotency key, over all replicas. It only spares work: that a key
//! takes effect once is the journal's promise, and a claim that is lost, late or not to be had changes
//! nothing but who waits.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::environment::Clock;
use backbone::ephemeral::{Claim, Claims};
use backbone::work::{Commands, Done, Error, Idempotency, Work};
use kernel::Duration;

/// How long a request has its key to itself. Whoever waits for it, waits no longer than this and then
/// goes on: the journal decides.
const HELD_MAX: Duration = Duration::from_secs(5);
/// How often whoever waits looks for the answer.
const LOOK: Duration = Duration::from_millis(25);

/// Runs work; while somebody works under the same idempotency key, it waits for their answer.
pub struct OneAtATime {
    commands: Arc<dyn Commands>,
    claims: Arc<dyn Claims>,
    clock: Arc<dyn Clock>,
}

enum Turn {
    /// Ours, with what to release afterwards.
    Work(Option<Claim>),
    /// Somebody else's answer came.
    Answered(Done),
}

impl OneAtATime {
    /// Over the commands of a service.
    pub fn new(commands: Arc<dyn Commands>, claims: Arc<dyn Claims>, clock: Arc<dyn Clock>) -> Self {
        Self { commands, claims, clock }
    }

    async fn turn(&self, idempotency: &Idempotency) -> Result<Turn, Error> {
        let give_up = self.clock.now().plus(HELD_MAX);
        loop {
            match self.claims.claim(&idempotency.key, HELD_MAX).await {
                Ok(Some(claim)) => return Ok(Turn::Work(Some(claim))),
                Ok(None) if self.clock.now() < give_up => {}
                Ok(None) => return Ok(Turn::Work(None)),
                Err(error) => {
                    tracing::debug!(error.message = %error, "work goes on without a claim on its key");
                    return Ok(Turn::Work(None));
                }
            }
            self.clock.sleep(LOOK).await;
            if let Some(done) = self.commands.answered(idempotency).await? {
                return Ok(Turn::Answered(done));
            }
        }
    }
}

#[async_trait]
impl Commands for OneAtATime {
    async fn execute(&self, work: Work) -> Result<Done, Error> {
        let Some(idempotency) = &work.idempotency else { return self.commands.execute(work).await };
        let claim = match self.turn(idempotency).await? {
            Turn::Answered(done) => return Ok(done),
            Turn::Work(claim) => claim,
        };
        let done = self.commands.execute(work).await;
        if let Some(claim) = claim
            && let Err(error) = self.claims.release(claim).await
        {
            // It ends by itself.
            tracing::debug!(error.message = %error, "a claim on a key is not released");
        }
        done
    }

    async fn answered(&self, idempotency: &Idempotency) -> Result<Option<Done>, Error> {
        self.commands.answered(idempotency).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use adapter_memory::Capacity;
    use backbone::ephemeral::NoClaims;
    use backbone::work::Origin;
    use serde_json::Value;

    use super::*;
    use crate::environment::HandMade;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Counts what is executed; has an answer after so many looks.
    #[derive(Default)]
    struct Counted {
        executed: Mutex<u32>,
        answered_after: Option<u32>,
        looks: Mutex<u32>,
    }

    fn done(repeated: bool) -> Done {
        Done { answer: bytes::Bytes::from_static(b"{}"), position: 7, repeated }
    }

    #[async_trait]
    impl Commands for Counted {
        async fn execute(&self, _: Work) -> Result<Done, Error> {
            *self.executed.lock().unwrap() += 1;
            Ok(done(false))
        }

        async fn answered(&self, _: &Idempotency) -> Result<Option<Done>, Error> {
            *self.looks.lock().unwrap() += 1;
            let is_there = self.answered_after.is_some_and(|after| *self.looks.lock().unwrap() >= after);
            Ok(is_there.then(|| done(true)))
        }
    }

    struct Replica {
        counted: Arc<Counted>,
        commands: OneAtATime,
        claims: Arc<dyn Claims>,
    }

    fn replica(answered_after: Option<u32>) -> Replica {
        let environment = HandMade::running().environment();
        let claims = adapter_memory::ephemeral(&environment, Capacity::default()).claims;
        let counted = Arc::new(Counted { answered_after, ..Counted::default() });
        let commands = OneAtATime::new(counted.clone(), claims.clone(), environment.clock.clone());
        Replica { counted, commands, claims }
    }

    fn work(key: Option<&str>) -> Work {
        let key = key.map(|key| Idempotency { key: key.to_owned(), fingerprint: 1 });
        Work::new("work", Origin::default(), |_| Ok(Value::Null)).idempotent(key)
    }

    impl Replica {
        async fn executed(&self, key: Option<&str>) -> (Done, u32) {
            let done = self.commands.execute(work(key)).await.unwrap();
            (done, *self.counted.executed.lock().unwrap())
        }
    }

    #[tokio::test]
    async fn a_key_that_somebody_works_under_waits_for_their_answer() {
        let replica = replica(Some(3));
        replica.claims.claim("k", HOUR).await.unwrap().unwrap();
        assert_eq!(replica.executed(Some("k")).await, (done(true), 0));
        assert_eq!(replica.executed(Some("other")).await, (done(false), 1));
        assert_eq!(replica.executed(None).await, (done(false), 2));
    }

    #[tokio::test]
    async fn whoever_waits_for_nothing_goes_on_and_the_journal_decides() {
        let replica = replica(None);
        replica.claims.claim("k", HOUR).await.unwrap().unwrap();
        assert_eq!(replica.executed(Some("k")).await, (done(false), 1));
        let looks = *replica.counted.looks.lock().unwrap();
        assert_eq!(u128::from(looks), HELD_MAX.as_millis() / LOOK.as_millis());
    }

    #[tokio::test]
    async fn a_key_is_free_again_after_the_work_and_a_released_one_is_taken() {
        let replica = replica(None);
        replica.executed(Some("k")).await;
        let claim = replica.claims.claim("k", Duration::from_secs(1)).await.unwrap();
        assert!(claim.is_some(), "released");
        assert_eq!(replica.executed(Some("k")).await, (done(false), 2));
        assert_eq!(*replica.counted.looks.lock().unwrap(), 40, "it waited for the claim's end and no longer");
    }

    #[tokio::test]
    async fn without_a_memory_work_goes_on() {
        let environment = HandMade::running().environment();
        let counted = Arc::new(Counted::default());
        let commands = OneAtATime::new(counted.clone(), Arc::new(NoClaims), environment.clock);
        commands.execute(work(Some("k"))).await.unwrap();
        assert_eq!(*counted.executed.lock().unwrap(), 1);
    }
}
