//! `Sessions`: a hash each, and for each person a list of theirs.

use async_trait::async_trait;
use backbone::ephemeral::{Error, SESSION_BYTES_MAX, Session, Sessions};
use bytes::Bytes;
use kernel::Duration;
use redis::Script;
use uuid::Uuid;

use crate::claims::millis;
use crate::connection::Link;
use crate::keys::{PREFIX, hidden};

/// Sessions of all replicas.
pub(crate) struct RedisSessions {
    link: Link,
    put: Script,
    touch: Script,
    delete: Script,
    delete_all: Script,
    /// How the names of persons' lists begin.
    lists: String,
}

impl RedisSessions {
    pub(crate) fn new(link: Link) -> Self {
        Self {
            link,
            put: Script::new(include_str!("scripts/put_session.lua")),
            touch: Script::new(include_str!("scripts/touch_session.lua")),
            delete: Script::new(include_str!("scripts/delete_session.lua")),
            delete_all: Script::new(include_str!("scripts/delete_sessions_of.lua")),
            lists: format!("{PREFIX}sessions-of:"),
        }
    }
}

fn key(id: &str) -> String {
    hidden("session", id)
}

#[async_trait]
impl Sessions for RedisSessions {
    async fn get(&self, id: &str) -> Result<Option<Session>, Error> {
        let mut read = redis::cmd("HMGET");
        read.arg(key(id)).arg("person").arg("data");
        let found: (Option<String>, Option<Vec<u8>>) = self.link.ask("reading a session", &read).await?;
        let (Some(person), Some(data)) = found else { return Ok(None) };
        Ok(Some(Session { person: person.parse().ok(), data: Bytes::from(data) }))
    }

    async fn put(&self, id: &str, session: Session, lasts: Duration) -> Result<(), Error> {
        const OPERATION: &str = "keeping a session";
        if session.data.len() > SESSION_BYTES_MAX {
            let reason = format!("{} bytes are more than {SESSION_BYTES_MAX}", session.data.len());
            return Err(Error { operation: OPERATION, reason });
        }
        let person = session.person.map(|person| person.to_string()).unwrap_or_default();
        let mut script = self.put.key(key(id));
        script.arg(person).arg(&session.data[..]).arg(millis(lasts)).arg(&self.lists);
        self.link.run(OPERATION, &script).await
    }

    async fn touch(&self, id: &str, lasts: Duration) -> Result<bool, Error> {
        let mut script = self.touch.key(key(id));
        self.link.run("keeping a session for longer", script.arg(millis(lasts)).arg(&self.lists)).await
    }

    async fn delete(&self, id: &str) -> Result<(), Error> {
        let mut script = self.delete.key(key(id));
        self.link.run("ending a session", script.arg(&self.lists)).await
    }

    async fn delete_all_of(&self, person: Uuid) -> Result<(), Error> {
        let script = self.delete_all.key(format!("{}{person}", self.lists));
        self.link.run("ending a person's sessions", &script).await
    }
}
