//! The shared KeyRing: the schema `keyring` of a database, which may be one of its own with an
//! account of its own, backed up apart from the data. What wraps the keys is given: this crate
//! knows no cryptography.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use backbone::keyring::{DataKey, Error, KeyRing, PersonKey};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::connection::{Ask, value};
use crate::options::Options;
use crate::readers::Readers;
use crate::storage::{OpenError, target};

/// How long a key may be used without asking the database (security.md): another replica may have
/// destroyed it.
const CACHED_TIME_MAX: Duration = Duration::from_secs(30);
/// The most keys in memory.
const CACHED_MAX: usize = 10_000;
const CONNECTIONS: usize = 2;

/// Whoever comes first makes the table.
pub(crate) const TABLES: &str = "
    BEGIN;
    SELECT pg_advisory_xact_lock(hashtextextended('a4co keyring', 0));
    DO $$ BEGIN IF to_regnamespace('keyring') IS NULL THEN CREATE SCHEMA keyring; END IF; END $$;
    CREATE TABLE IF NOT EXISTS keyring.keys (
        person uuid PRIMARY KEY, wrapped bytea NOT NULL, master_id text NOT NULL, erased_at bigint NOT NULL);
    COMMIT;";
const FIND: &str = "SELECT person, wrapped, master_id, erased_at FROM keyring.keys WHERE person = ANY($1)";
const MAKE: &str = "INSERT INTO keyring.keys (person, wrapped, master_id, erased_at) \
                    SELECT w.person, w.wrapped, $3, 0 FROM unnest($1::uuid[], $2::bytea[]) AS w(person, wrapped) \
                    ORDER BY w.person ON CONFLICT (person) DO NOTHING";
const ERASE: &str = "INSERT INTO keyring.keys AS k (person, wrapped, master_id, erased_at) \
                     VALUES ($1, '', $2, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) \
                     ON CONFLICT (person) DO UPDATE SET wrapped = '', erased_at = excluded.erased_at \
                     WHERE k.erased_at = 0";
const MASTERS: &str = "SELECT DISTINCT master_id FROM keyring.keys WHERE erased_at = 0";

/// A master key, as this KeyRing needs it.
pub trait Wrapping: Send + Sync + 'static {
    /// Names the master key without telling it.
    fn id(&self) -> &str;

    /// A new random data key.
    fn new_data_key(&self) -> Option<[u8; 32]>;

    /// Encrypts a person's data key; it can only be read as that person's.
    fn wrap(&self, person: Uuid, data_key: &[u8; 32]) -> Option<Vec<u8>>;

    /// Decrypts a person's data key; `None` where it is another person's, or damaged.
    fn unwrap(&self, person: Uuid, wrapped: &[u8]) -> Option<[u8; 32]>;
}

/// Why the KeyRing cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The database cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It does not answer.
    #[error(transparent)]
    Unavailable(#[from] backbone::journal::Error),
    /// The keys in it were wrapped by a master key that was not given.
    #[error(
        "data keys are wrapped by master key {0}, which was not given: configure it as the current or a previous one"
    )]
    UnknownMaster(String),
}

/// Data keys in the schema `keyring`, wrapped by a master key.
#[derive(Clone)]
pub struct PostgresKeyRing(Arc<Inner>);

struct Inner {
    readers: Readers,
    master: Arc<dyn Wrapping>,
    previous: Vec<Arc<dyn Wrapping>>,
    /// Calls that wait for the database: whoever asks it next asks for them all.
    waiting: Mutex<Vec<Asked>>,
    /// Held while the cache learns: so nothing that was read before an erasure is remembered after
    /// it.
    asking: tokio::sync::Mutex<()>,
    cache: Mutex<HashMap<Uuid, (PersonKey, Instant)>>,
}

/// A call that waits.
struct Asked {
    persons: Vec<Uuid>,
    make_missing: bool,
    reply: tokio::sync::oneshot::Sender<Result<Vec<PersonKey>, Error>>,
}

impl std::fmt::Debug for PostgresKeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PostgresKeyRing").field(&self.0.master.id()).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    Error(error.to_string())
}

impl PostgresKeyRing {
    /// Opens the schema `keyring` of the database at `address`, making it where it is missing.
    /// Keys that a previous master key wraps can be read too.
    pub async fn open(
        address: &str,
        master: Arc<dyn Wrapping>,
        previous: Vec<Arc<dyn Wrapping>>,
    ) -> Result<Self, KeyRingError> {
        const OPENING: &str = "opening the key ring";
        let target = target(address, &Options::default())?;
        let conn =
            target.connect().await.map_err(|e| crate::error::unavailable(OPENING, crate::error::said(&e)))?;
        conn.run(TABLES).await.map_err(|e| crate::error::journal(OPENING, &e))?;
        let readers = Readers::new(target, CONNECTIONS);
        let (waiting, asking, cache) = Default::default();
        let ring = Inner { readers, master, previous, waiting, asking, cache };
        // At start rather than at the first customer: a wrong master key reads nothing.
        for row in ring.readers.rows(OPENING, MASTERS, Vec::new()).await? {
            let id: String = row.get(0);
            if ring.master_named(&id).is_none() {
                return Err(KeyRingError::UnknownMaster(id));
            }
        }
        Ok(Self(Arc::new(ring)))
    }

    async fn keys(&self, persons: &[Uuid], make_missing: bool) -> Result<Vec<PersonKey>, Error> {
        let ring = &*self.0;
        if let Some(keys) = ring.cached(persons) {
            return Ok(keys);
        }
        let (reply, mut answer) = tokio::sync::oneshot::channel();
        lock(&ring.waiting).push(Asked { persons: persons.to_vec(), make_missing, reply });
        let _asking = ring.asking.lock().await;
        // Whoever asked before may have asked for this call as well.
        if let Ok(answer) = answer.try_recv() {
            return answer;
        }
        let asked = std::mem::take(&mut *lock(&ring.waiting));
        ring.answer_all(asked).await;
        answer.await.unwrap_or_else(|_| Err(Error("the call was not answered".to_owned())))
    }
}

impl Inner {
    fn master_named(&self, id: &str) -> Option<&Arc<dyn Wrapping>> {
        std::iter::once(&self.master).chain(&self.previous).find(|master| master.id() == id)
    }

    /// The keys of all of them, or nothing: the database gives what one of them lacks.
    fn cached(&self, persons: &[Uuid]) -> Option<Vec<PersonKey>> {
        let cache = lock(&self.cache);
        let known = |person| {
            let (key, since): &(PersonKey, Instant) = cache.get(person)?;
            (since.elapsed() < CACHED_TIME_MAX).then(|| key.clone())
        };
        persons.iter().map(known).collect()
    }

    async fn answer_all(&self, asked: Vec<Asked>) {
        let wanted = |make: bool| asked.iter().filter(move |asked| !make || asked.make_missing);
        let mut all: Vec<Uuid> = wanted(false).flat_map(|asked| &asked.persons).copied().collect();
        let mut made: Vec<Uuid> = wanted(true).flat_map(|asked| &asked.persons).copied().collect();
        for persons in [&mut all, &mut made] {
            persons.sort_unstable();
            persons.dedup();
        }
        let found = self.ask(&all, &made).await;
        if let Ok(found) = &found {
            self.learn(found);
        }
        for Asked { persons, reply, .. } in asked {
            let of = |found: &HashMap<Uuid, PersonKey>| {
                let key = |person| found.get(person).cloned().unwrap_or(PersonKey::Absent);
                persons.iter().map(key).collect()
            };
            // Whoever asked may have gone away.
            let _ = reply.send(found.as_ref().map(of).map_err(Clone::clone));
        }
    }

    /// The keys of all; those of `made` are made where they are missing.
    async fn ask(&self, all: &[Uuid], made: &[Uuid]) -> Result<HashMap<Uuid, PersonKey>, Error> {
        let mut found = self.find(all).await?;
        let missing: Vec<Uuid> = made.iter().copied().filter(|person| !found.contains_key(person)).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let wrapped: Option<Vec<Vec<u8>>> =
            missing.iter().map(|person| self.master.wrap(*person, &self.master.new_data_key()?)).collect();
        let wrapped = wrapped.ok_or_else(|| Error("the machine could not make a key".to_owned()))?;
        let values = vec![value(missing.clone()), value(wrapped), value(self.master.id().to_owned())];
        self.readers.rows("making data keys", MAKE, values).await.map_err(unavailable)?;
        // Another replica may have made one first: what stands there is the key.
        found.extend(self.find(&missing).await?);
        Ok(found)
    }

    async fn find(&self, persons: &[Uuid]) -> Result<HashMap<Uuid, PersonKey>, Error> {
        let asks = [Ask::new(FIND, vec![value(persons.to_vec())])];
        let rows = self.readers.all("finding data keys", &asks).await.map_err(unavailable)?;
        rows.iter().flatten().map(|row| self.key(row)).collect()
    }

    fn key(&self, row: &Row) -> Result<(Uuid, PersonKey), Error> {
        let person: Uuid = row.try_get(0).map_err(unavailable)?;
        if row.try_get::<_, i64>(3).map_err(unavailable)? != 0 {
            return Ok((person, PersonKey::Erased));
        }
        let master: &str = row.try_get(2).map_err(unavailable)?;
        let Some(master) = self.master_named(master) else {
            return Err(unavailable(KeyRingError::UnknownMaster(master.to_owned())));
        };
        let key = master.unwrap(person, row.try_get(1).map_err(unavailable)?);
        let key = key
            .ok_or_else(|| Error("a data key cannot be read: restore the back-up of the keys".to_owned()))?;
        Ok((person, PersonKey::Known(DataKey(key))))
    }

    fn learn(&self, found: &HashMap<Uuid, PersonKey>) {
        let mut cache = lock(&self.cache);
        if cache.len() + found.len() > CACHED_MAX {
            cache.retain(|_, (_, since)| since.elapsed() < CACHED_TIME_MAX);
        }
        if cache.len() + found.len() > CACHED_MAX {
            cache.clear();
        }
        let now = Instant::now();
        cache.extend(found.iter().map(|(person, key)| (*person, (key.clone(), now))));
    }
}

#[async_trait]
impl KeyRing for PostgresKeyRing {
    fn master_id(&self) -> String {
        self.0.master.id().to_owned()
    }

    async fn ensure(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error> {
        self.keys(persons, true).await
    }

    async fn find(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error> {
        self.keys(persons, false).await
    }

    /// The row's old content stays in the database's pages until they are vacuumed, and in its log
    /// and back-ups for as long as those are kept.
    async fn erase(&self, person: Uuid) -> Result<(), Error> {
        let ring = &*self.0;
        let _asking = ring.asking.lock().await;
        // Before the database: once it is destroyed there, nobody is given it from memory.
        lock(&ring.cache).remove(&person);
        let values = vec![value(person), value(ring.master.id().to_owned())];
        ring.readers.rows("destroying a data key", ERASE, values).await.map(drop).map_err(unavailable)
    }
}
