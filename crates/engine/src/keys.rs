//! Data keys at hand: the KeyRing behind a small cache (at most 30 s old, security.md).

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use backbone::environment::Clock;
use backbone::keyring::{Error, KeyRing, PersonKey};
use kernel::{Duration, Timestamp};
use lru::LruCache;
use uuid::Uuid;

/// How long a key may be remembered.
const REMEMBERED: Duration = Duration::from_secs(30);

/// How many are remembered.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// Data keys at hand.
pub struct Keys {
    ring: Arc<dyn KeyRing>,
    clock: Arc<dyn Clock>,
    known: Mutex<LruCache<Uuid, (Timestamp, PersonKey)>>,
}

impl Keys {
    /// Keys of `ring`.
    pub fn new(ring: Arc<dyn KeyRing>, clock: Arc<dyn Clock>) -> Self {
        Self { ring, clock, known: Mutex::new(LruCache::new(CAPACITY)) }
    }

    /// The id of the master key: CloudEvents `keyid`.
    pub fn master_id(&self) -> String {
        self.ring.master_id()
    }

    /// Forgets a person's key: it was erased.
    pub fn forget(&self, person: Uuid) {
        self.lock().pop(&person);
    }

    /// The keys of `persons`, made where there is none.
    pub async fn ensure(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error> {
        self.gather(persons, true).await
    }

    /// The keys of `persons`, none made.
    pub async fn find(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error> {
        self.gather(persons, false).await
    }

    async fn gather(&self, persons: &[Uuid], make: bool) -> Result<Vec<PersonKey>, Error> {
        let mut found: Vec<Option<PersonKey>> = self.look_up(persons);
        let missing: Vec<Uuid> =
            persons.iter().zip(&found).filter(|(_, key)| key.is_none()).map(|(person, _)| *person).collect();
        if !missing.is_empty() {
            let fetched =
                if make { self.ring.ensure(&missing).await? } else { self.ring.find(&missing).await? };
            self.remember(&missing, &fetched);
            let mut fetched = fetched.into_iter();
            for key in found.iter_mut().filter(|key| key.is_none()) {
                *key = fetched.next();
            }
        }
        Ok(found.into_iter().map(|key| key.unwrap_or(PersonKey::Absent)).collect())
    }

    fn look_up(&self, persons: &[Uuid]) -> Vec<Option<PersonKey>> {
        let now = self.clock.now();
        let mut known = self.lock();
        let fresh =
            |(since, key): &(Timestamp, PersonKey)| (now.since(*since) < REMEMBERED).then(|| key.clone());
        persons.iter().map(|person| known.get(person).and_then(fresh)).collect()
    }

    fn remember(&self, persons: &[Uuid], keys: &[PersonKey]) {
        let now = self.clock.now();
        let mut known = self.lock();
        for (person, key) in persons.iter().zip(keys) {
            // An absent key may be made the next moment by somebody else.
            if *key != PersonKey::Absent {
                known.put(*person, (now, key.clone()));
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<Uuid, (Timestamp, PersonKey)>> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    use async_trait::async_trait;
    use backbone::keyring::DataKey;
    use futures::future::BoxFuture;

    use super::*;

    #[derive(Default)]
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0.load(Ordering::SeqCst))
        }

        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    #[derive(Default)]
    struct Counted(AtomicUsize);

    #[async_trait]
    impl KeyRing for Counted {
        fn master_id(&self) -> String {
            "master".to_owned()
        }

        async fn ensure(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error> {
            self.find(persons).await
        }

        async fn find(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(persons.iter().map(|_| PersonKey::Known(DataKey([7; 32]))).collect())
        }

        async fn erase(&self, _: Uuid) -> Result<(), Error> {
            Ok(())
        }
    }

    /// security.md: a key is remembered for 30 s at most, so that one erased elsewhere is gone here.
    #[tokio::test]
    async fn a_key_is_asked_for_again_after_thirty_seconds() {
        let (hand, ring) = (Arc::new(Hand::default()), Arc::new(Counted::default()));
        let keys = Keys::new(ring.clone(), hand.clone());
        let asked = async |at_s: i64| {
            hand.0.store(at_s * 1_000_000, Ordering::SeqCst);
            let _ = keys.find(&[Uuid::nil()]).await;
            ring.0.load(Ordering::SeqCst)
        };
        assert_eq!((asked(0).await, asked(29).await), (1, 1), "remembered");
        assert_eq!((asked(31).await, asked(60).await), (2, 2), "asked for again, and remembered again");
    }
}
