//! `Sessions` in memory. They end with the process.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use backbone::environment::Clock;
use backbone::ephemeral::{Error, SESSION_BYTES_MAX, Session, Sessions};
use kernel::{Duration, Timestamp};
use lru::LruCache;
use uuid::Uuid;

use crate::lock;

/// Sessions of one process; full, it forgets the one that was used longest ago.
pub struct MemorySessions {
    clock: Arc<dyn Clock>,
    sessions: Mutex<LruCache<String, (Session, Timestamp)>>,
}

impl MemorySessions {
    /// Nobody is signed in.
    pub fn new(clock: Arc<dyn Clock>, sessions_max: NonZeroUsize) -> Self {
        Self { clock, sessions: Mutex::new(LruCache::new(sessions_max)) }
    }
}

#[async_trait]
impl Sessions for MemorySessions {
    async fn get(&self, id: &str) -> Result<Option<Session>, Error> {
        let now = self.clock.now();
        let mut sessions = lock(&self.sessions);
        let found = sessions.get(id).filter(|(_, until)| *until > now).map(|(session, _)| session.clone());
        if found.is_none() {
            sessions.pop(id);
        }
        Ok(found)
    }

    async fn put(&self, id: &str, session: Session, lasts: Duration) -> Result<(), Error> {
        if session.data.len() > SESSION_BYTES_MAX {
            let reason = format!("{} bytes are more than {SESSION_BYTES_MAX}", session.data.len());
            return Err(Error { operation: "keeping a session", reason });
        }
        let until = self.clock.now().plus(lasts);
        lock(&self.sessions).put(id.to_owned(), (session, until));
        Ok(())
    }

    async fn touch(&self, id: &str, lasts: Duration) -> Result<bool, Error> {
        let now = self.clock.now();
        let mut sessions = lock(&self.sessions);
        let found = sessions.get_mut(id).filter(|(_, until)| *until > now);
        Ok(found.map(|(_, until)| *until = now.plus(lasts)).is_some())
    }

    async fn delete(&self, id: &str) -> Result<(), Error> {
        lock(&self.sessions).pop(id);
        Ok(())
    }

    async fn delete_all_of(&self, person: Uuid) -> Result<(), Error> {
        let mut sessions = lock(&self.sessions);
        let of_person = sessions.iter().filter(|(_, (session, _))| session.person == Some(person));
        let ids: Vec<String> = of_person.map(|(id, _)| id.clone()).collect();
        for id in ids {
            sessions.pop(&id);
        }
        Ok(())
    }
}
