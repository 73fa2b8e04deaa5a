//! The pool of connections for everything but commits: bounded, opened as they are needed, each
//! used by one at a time.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use backbone::journal::Error;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Row;

use crate::connection::{Ask, Connection, Target, Value};
use crate::error::{self, Kind};

const ONE_STATE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

pub(crate) struct Readers {
    target: Target,
    free: Mutex<Vec<Connection>>,
    turns: Semaphore,
}

/// A connection that goes back to the pool.
pub(crate) struct Taken<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
    _turn: SemaphorePermit<'a>,
}

impl Readers {
    pub(crate) fn new(target: Target, count: usize) -> Self {
        Self { target, free: Mutex::default(), turns: Semaphore::new(count.max(1)) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection, when one is free.
    pub(crate) async fn take(&self, what: &'static str) -> Result<Taken<'_>, Error> {
        let turn = self.turns.acquire().await.map_err(|_| error::unavailable(what, "the store is closed"))?;
        let open = std::iter::from_fn(|| self.lock().pop()).find(|connection| !connection.is_closed());
        let connection = match open {
            Some(connection) => connection,
            None => self.target.connect().await.map_err(|e| error::unavailable(what, error::said(&e)))?,
        };
        Ok(Taken { readers: self, connection: Some(connection), _turn: turn })
    }

    /// Reads rows.
    pub(crate) async fn rows(
        &self,
        what: &'static str,
        sql: &str,
        values: Vec<Value<'_>>,
    ) -> Result<Vec<Row>, Error> {
        let mut answers = self.all(what, &[Ask { sql, values }]).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Reads in one round trip, all from one state of the database. Where the connection turns out
    /// to be gone it is done again: the server may have been restarted since it was used.
    pub(crate) async fn all(&self, what: &'static str, asks: &[Ask<'_>]) -> Result<Vec<Vec<Row>>, Error> {
        let (before, after) = if asks.len() > 1 { (Some(ONE_STATE), Some("COMMIT")) } else { (None, None) };
        let first = self.take(what).await?.all(before, asks, after).await;
        match first {
            Err(source) if error::kind(&source) == Kind::Lost => {
                // The others were opened before it.
                self.lock().clear();
                self.take(what).await?.all(before, asks, after).await
            }
            answer => answer,
        }
        .map_err(|source| error::journal(what, &source))
    }
}

impl Deref for Taken<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is there until it is dropped")
    }
}

impl DerefMut for Taken<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it is there until it is dropped")
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !connection.is_closed()
        {
            self.readers.lock().push(connection);
        }
    }
}
