//! The embedded KeyRing: a file of its own, backed up apart from the data.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use backbone::keyring::{Error, KeyRing, PersonKey};
use tokio::sync::{OwnedMutexGuard, oneshot};
use uuid::Uuid;

use crate::keyfile::KeyFile;
use crate::master_key::MasterKey;
use crate::{backup, directory};

/// The file in the data directory.
pub(crate) const KEYS: &str = "keys.db";
/// How long a key may be used without asking the file (security.md): another process that shares
/// the file may have destroyed it.
const CACHED_TIME_MAX: Duration = Duration::from_secs(30);
/// The most keys in memory.
const CACHED_MAX: usize = 10_000;

/// Why the KeyRing cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The file cannot be made.
    #[error("{path} cannot be used: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{0} is not a file of keys: choose another directory")]
    Foreign(PathBuf),
    /// The keys in it were wrapped by a master key that was not given.
    #[error(
        "data keys are wrapped by master key {0}, which was not given: configure it as the current or a previous one"
    )]
    UnknownMaster(String),
    /// A wrapped key does not open.
    #[error("a data key cannot be read: the file was changed by something else; restore its back-up")]
    Unreadable,
    /// No key could be made.
    #[error("the machine could not make a key")]
    NotMade,
    /// Somebody reads the file, so a destroyed key may still stand in its log.
    #[error("the file of keys is in use elsewhere: end that and erase again")]
    Busy,
    /// The task was cancelled.
    #[error("the task ended: {0}")]
    Task(String),
    /// What SQLite said.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Data keys in `keys.db`, wrapped by a master key.
#[derive(Clone)]
pub struct SqliteKeyRing(Arc<Shared>);

struct Shared {
    master_id: String,
    path: PathBuf,
    /// Calls that wait for the file: whoever gets it next answers them all with one sync.
    waiting: Mutex<Vec<Asked>>,
    /// Held while the cache learns from the file: so nothing that was read before an erasure is
    /// remembered after it.
    file: Arc<tokio::sync::Mutex<KeyFile>>,
    cache: Mutex<Cache>,
}

/// A call that waits.
struct Asked {
    persons: Vec<Uuid>,
    make_missing: bool,
    reply: oneshot::Sender<Result<Vec<PersonKey>, Error>>,
}

#[derive(Default)]
struct Cache(HashMap<Uuid, (PersonKey, Instant)>);

impl std::fmt::Debug for SqliteKeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SqliteKeyRing").field(&self.0.master_id).finish()
    }
}

impl SqliteKeyRing {
    /// Opens the directory's file of keys, making it where it is missing.
    pub fn open(directory: &Path, master: MasterKey) -> Result<Self, KeyRingError> {
        Self::open_with_previous(directory, master, Vec::new())
    }

    /// As `open`; keys that a previous master key wraps can be read too.
    pub fn open_with_previous(
        directory: &Path,
        master: MasterKey,
        previous: Vec<MasterKey>,
    ) -> Result<Self, KeyRingError> {
        let in_directory = |e| KeyRingError::File { path: directory.to_owned(), source: io::Error::other(e) };
        directory::make(directory).map_err(in_directory)?;
        let path = directory.join(KEYS);
        let file = KeyFile::open(&path, master, previous)?;
        Ok(Self(Arc::new(Shared {
            master_id: file.master_id().to_owned(),
            path,
            waiting: Mutex::default(),
            file: Arc::new(tokio::sync::Mutex::new(file)),
            cache: Mutex::default(),
        })))
    }

    /// Wraps every key that a previous master key wraps with the current one, and gives their
    /// number; the previous ones are not needed afterwards.
    pub async fn rewrap(&self) -> Result<u64, Error> {
        self.in_file(|_, file| file.rewrap()).await
    }

    /// Writes a copy of the keys, wrapped as they are, to the new file `to`. Blocks. Whoever keeps
    /// it keeps the keys of persons who are erased later: keep it apart, and not for long.
    pub fn backup(&self, to: &Path) -> Result<(), Error> {
        backup::write(&self.0.path, to, |_, _| {}).map_err(|e| Error(e.to_string()))
    }

    /// As `backup`, of a directory whose ring somebody else may have open; needs no master key.
    pub fn copy(directory: &Path, to: &Path) -> Result<(), Error> {
        backup::write(&directory.join(KEYS), to, |_, _| {}).map_err(|e| Error(e.to_string()))
    }

    async fn keys(&self, persons: &[Uuid], make_missing: bool) -> Result<Vec<PersonKey>, Error> {
        if let Some(keys) = lock(&self.0.cache).all(persons) {
            return Ok(keys);
        }
        let (reply, mut answer) = oneshot::channel();
        lock(&self.0.waiting).push(Asked { persons: persons.to_vec(), make_missing, reply });
        let file = self.0.file.clone().lock_owned().await;
        // Whoever had the file before may have answered this call as well.
        if let Ok(answer) = answer.try_recv() {
            return answer;
        }
        self.with(file, |shared, file| {
            let asked = std::mem::take(&mut *lock(&shared.waiting));
            answer_all(file, &shared.cache, asked);
            Ok(())
        })
        .await?;
        answer.await.unwrap_or_else(|_| Err(Error("the call was not answered".to_owned())))
    }

    async fn in_file<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Shared, &mut KeyFile) -> Result<T, KeyRingError> + Send + 'static,
    ) -> Result<T, Error> {
        let file = self.0.file.clone().lock_owned().await;
        self.with(file, run).await
    }

    async fn with<T: Send + 'static>(
        &self,
        mut file: OwnedMutexGuard<KeyFile>,
        run: impl FnOnce(&Shared, &mut KeyFile) -> Result<T, KeyRingError> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = self.0.clone();
        let done = tokio::task::spawn_blocking(move || run(&shared, &mut file)).await;
        done.unwrap_or_else(|e| Err(KeyRingError::Task(e.to_string()))).map_err(|e| Error(e.to_string()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers calls from the file; what is missing is made in one transaction.
fn answer_all(file: &mut KeyFile, cache: &Mutex<Cache>, asked: Vec<Asked>) {
    let (ensured, found): (Vec<_>, Vec<_>) = asked.into_iter().partition(|asked| asked.make_missing);
    let persons: Vec<Uuid> = ensured.iter().flat_map(|asked| &asked.persons).copied().collect();
    let made = file.ensure(&persons).map_err(|e| Error(e.to_string()));
    let mut rest = made.as_deref().unwrap_or(&[]);
    for Asked { persons, reply, .. } in ensured {
        let answer = made.as_ref().map_err(Clone::clone).map(|_| {
            let (own, others) = rest.split_at(persons.len());
            rest = others;
            lock(cache).learn(&persons, own);
            own.to_vec()
        });
        // Whoever asked may have gone away.
        let _ = reply.send(answer);
    }
    for Asked { persons, reply, .. } in found {
        let answer = file.find(&persons).map_err(|e| Error(e.to_string()));
        if let Ok(keys) = &answer {
            lock(cache).learn(&persons, keys);
        }
        let _ = reply.send(answer);
    }
}

impl Cache {
    /// The keys of all of them, or nothing: the file gives what one of them lacks.
    fn all(&self, persons: &[Uuid]) -> Option<Vec<PersonKey>> {
        let known = |person| {
            let (key, since) = self.0.get(person)?;
            (since.elapsed() < CACHED_TIME_MAX).then(|| key.clone())
        };
        persons.iter().map(known).collect()
    }

    fn learn(&mut self, persons: &[Uuid], keys: &[PersonKey]) {
        if self.0.len() + persons.len() > CACHED_MAX {
            self.0.retain(|_, (_, since)| since.elapsed() < CACHED_TIME_MAX);
        }
        let now = Instant::now();
        for (person, key) in persons.iter().zip(keys) {
            if self.0.len() >= CACHED_MAX {
                self.0.clear();
            }
            if *key != PersonKey::Absent {
                self.0.insert(*person, (key.clone(), now));
            }
        }
    }
}

#[async_trait]
impl KeyRing for SqliteKeyRing {
    fn master_id(&self) -> String {
        self.0.master_id.clone()
    }

    async fn ensure(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error> {
        self.keys(persons, true).await
    }

    async fn find(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error> {
        self.keys(persons, false).await
    }

    async fn erase(&self, person: Uuid) -> Result<(), Error> {
        self.in_file(move |shared, file| {
            // Before the file: once it is destroyed there, nobody is given it from memory.
            lock(&shared.cache).0.remove(&person);
            file.erase(person)
        })
        .await
    }
}
