//! A service's handle on the store: the journal's port.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::collection::{Collection, Query};
use backbone::commit::{Answer, Commit, Fence, Outcome, StoredEvent};
use backbone::journal::{
    Error, Journal, LeaseRequest, Prune, Pruned, Recorded, Schema, Sent, ShadowStep, Sought, Storage, Stored,
    StoredDocument, Submission, Want,
};
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::open::Inner;
use crate::queue::{Job, Task};
use crate::readers::Size;
use crate::tables::Tables;
use crate::{batch, error, leases, log, prune, query, rows, schema, shadow, writer};

const LEASING: &str = "taking a lease";
const READING: &str = "reading what a service published";
const PRUNING: &str = "forgetting what is old";

/// Opens the journals of services.
pub(crate) struct SqliteStorage(pub(crate) Arc<Inner>);

#[async_trait]
impl Storage for SqliteStorage {
    async fn open(&self, schema: Schema) -> Result<Arc<dyn Journal>, Error> {
        let tables = Arc::new(Tables::new(&schema)?);
        let journal = SqliteJournal { inner: self.0.clone(), tables: tables.clone() };
        if self.0.writes() {
            journal.change_tables(Box::new(move |conn| schema::make(conn, &tables))).await?;
        } else {
            let check = move |conn: &Connection| Ok(schema::check(conn, &tables));
            self.0.readers.read("opening a service's tables", Size::Few, check).await??;
        }
        Ok(Arc::new(journal))
    }

    async fn published_by(&self, service: &str, after: u64, limit: usize) -> Result<Vec<Sent>, Error> {
        let service = service.to_owned();
        let read = move |conn: &Connection| {
            let found = log::of(conn, &service, after, limit)?;
            Ok(found.into_iter().map(|(position, envelope)| Sent { position, envelope }).collect())
        };
        self.0.readers.read(READING, Size::of(limit), read).await
    }

    /// One process a directory: the lock sees to it.
    fn is_shared(&self) -> bool {
        false
    }
}

struct SqliteJournal {
    inner: Arc<Inner>,
    tables: Arc<Tables>,
}

impl SqliteJournal {
    async fn change_tables(&self, run: Task) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.inner.submit(Job::Task { run, reply });
        answer.await.unwrap_or_else(|_| Err(error::unavailable("changing tables", writer::GONE)))
    }

    async fn read<T, F>(&self, what: &'static str, size: Size, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&Connection, &Tables) -> rusqlite::Result<T> + Send + 'static,
    {
        let tables = self.tables.clone();
        self.inner.readers.read(what, size, move |conn| read(conn, &tables)).await
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    fn submit(&self, commit: Commit) -> Submission {
        let (reply, answer) = oneshot::channel();
        self.inner.submit(Job::Commit { tables: self.tables.clone(), commit: Box::new(commit), reply });
        answer
    }

    /// On the writer's own connection, between two groups of commits.
    async fn rehearse(&self, commit: Commit) -> Result<Outcome, Error> {
        let tables = self.tables.clone();
        let (told, outcome) = oneshot::channel();
        let run = move |conn: &Connection| {
            // Whoever asked may have gone away.
            let _ = told.send(batch::rehearse(conn, &tables, &commit)?);
            Ok(())
        };
        self.change_tables(Box::new(run)).await?;
        outcome.await.map_err(|_| error::unavailable("rehearsing a commit", writer::GONE))
    }

    async fn load(&self, wants: Vec<Want>) -> Result<Vec<Stored>, Error> {
        for want in &wants {
            if let Want::Document(collection, _) | Want::Shadow(collection, _) = want {
                self.tables.collection(collection)?;
            }
        }
        let size = Size::of(wants.len());
        let load = move |conn: &Connection, tables: &Tables| {
            wants.iter().map(|want| load(conn, tables, want)).collect()
        };
        self.read("loading state", size, load).await
    }

    async fn find(&self, query: Query) -> Result<Vec<StoredDocument>, Error> {
        let statement = query::statement(&self.tables, &query)?;
        let find = move |conn: &Connection, _: &Tables| {
            let mut prepared = conn.prepare_cached(&statement.sql)?;
            prepared.query_map(params_from_iter(&statement.values), rows::document)?.collect()
        };
        self.read("finding documents", Size::of(query.limit), find).await
    }

    async fn answer(&self, key: &str) -> Result<Option<Answer>, Error> {
        let key = key.to_owned();
        let read = move |conn: &Connection, tables: &Tables| {
            conn.prepare_cached(&tables.sql.answer)?.query_row([&key], rows::answer).optional()
        };
        self.read("looking up an answer", Size::Few, read).await
    }

    async fn history(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<StoredEvent>, Error> {
        let stream = stream.to_owned();
        let read = move |conn: &Connection, tables: &Tables| events(conn, tables, &stream, after, limit);
        self.read("reading a history", Size::of(limit), read).await
    }

    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, Error> {
        let read = move |conn: &Connection, tables: &Tables| {
            let mut statement = conn.prepare_cached(&tables.sql.feed)?;
            statement.query_map(params![rows::signed(after), bound(limit)], rows::recorded)?.collect()
        };
        self.read("reading the service's events", Size::of(limit), read).await
    }

    async fn outgoing(&self, after: u64, limit: usize) -> Result<Vec<Sent>, Error> {
        let read = move |conn: &Connection, tables: &Tables| {
            let found = log::of(conn, tables.service, after, limit)?;
            Ok(found.into_iter().map(|(position, envelope)| Sent { position, envelope }).collect())
        };
        self.read("reading what the service published", Size::of(limit), read).await
    }

    async fn published(&self, sought: Sought) -> Result<Vec<Sent>, Error> {
        let size = Size::of(sought.limit);
        let read = move |conn: &Connection, tables: &Tables| {
            let found = log::sought(conn, tables.service, &sought)?;
            Ok(found.into_iter().map(|(position, envelope)| Sent { position, envelope }).collect())
        };
        self.read("looking for what the service published", size, read).await
    }

    async fn lease(&self, request: LeaseRequest) -> Result<Option<u64>, Error> {
        let service = self.tables.service;
        let (told, token) = oneshot::channel();
        let run = move |conn: &Connection| {
            let token = leases::take(conn, service, &request).map_err(|e| error::journal(LEASING, &e))?;
            // Whoever asked may have gone away.
            let _ = told.send(token);
            Ok(())
        };
        self.change_tables(Box::new(run)).await?;
        token.await.map_err(|_| error::unavailable(LEASING, writer::GONE))
    }

    async fn release(&self, fence: Fence) -> Result<(), Error> {
        let service = self.tables.service;
        let run = move |conn: &Connection| {
            leases::give_back(conn, service, &fence).map_err(|e| error::journal(LEASING, &e))
        };
        self.change_tables(Box::new(run)).await
    }

    async fn claimed(&self, consumer: &str, events: &[Uuid]) -> Result<Vec<Uuid>, Error> {
        let (consumer, events) = (consumer.to_owned(), events.to_vec());
        let size = Size::of(events.len());
        let read = move |conn: &Connection, tables: &Tables| {
            let mut statement = conn.prepare_cached(&tables.sql.claimed)?;
            let mut found = Vec::new();
            for event in &events {
                if statement.exists(params![consumer, &event.as_bytes()[..]])? {
                    found.push(*event);
                }
            }
            Ok(found)
        };
        self.read("looking into an inbox", size, read).await
    }

    async fn checkpoint(&self, consumer: &str) -> Result<u64, Error> {
        let consumer = consumer.to_owned();
        let read = move |conn: &Connection, tables: &Tables| checkpoint(conn, tables, &consumer);
        self.read("reading a checkpoint", Size::Few, read).await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, Error> {
        let tables = self.tables.clone();
        let (told, pruned) = oneshot::channel();
        let run = move |conn: &Connection| {
            let pruned = prune::forget(conn, &tables, &prune).map_err(|e| error::journal(PRUNING, &e))?;
            // Whoever asked may have gone away.
            let _ = told.send(pruned);
            Ok(())
        };
        self.change_tables(Box::new(run)).await?;
        pruned.await.map_err(|_| error::unavailable(PRUNING, writer::GONE))
    }

    async fn shadow(
        &self,
        collections: &'static [&'static Collection],
        step: ShadowStep,
    ) -> Result<(), Error> {
        collections.iter().try_for_each(|collection| self.tables.collection(collection).map(drop))?;
        let tables = self.tables.clone();
        self.change_tables(Box::new(move |conn| shadow::take(conn, &tables, collections, &step))).await
    }
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn load(conn: &Connection, tables: &Tables, want: &Want) -> rusqlite::Result<Stored> {
    match want {
        Want::Stream(stream) => {
            let mut statement = conn.prepare_cached(&tables.sql.snapshot)?;
            let snapshot = statement.query_row([stream], rows::snapshot).optional()?;
            let after = snapshot.as_ref().map_or(0, |snapshot| snapshot.version);
            Ok(Stored::Stream { events: events(conn, tables, stream, after, usize::MAX)?, snapshot })
        }
        Want::Document(collection, id) | Want::Shadow(collection, id) => {
            let Some(tables) = tables.collections.get(collection.name) else {
                return Ok(Stored::Document(None));
            };
            let of = if matches!(want, Want::Shadow(..)) { &tables.shadow } else { &tables.live };
            let mut statement = conn.prepare_cached(&of.read)?;
            Ok(Stored::Document(statement.query_row([id], rows::document).optional()?))
        }
    }
}

fn events(
    conn: &Connection,
    tables: &Tables,
    stream: &str,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<StoredEvent>> {
    let mut statement = conn.prepare_cached(&tables.sql.events_after)?;
    statement.query_map(params![stream, rows::signed(after), bound(limit)], rows::event)?.collect()
}

/// Where a consumer stands; 0 where it never began.
pub(crate) fn checkpoint(conn: &Connection, tables: &Tables, consumer: &str) -> rusqlite::Result<u64> {
    let mut statement = conn.prepare_cached(&tables.sql.checkpoint)?;
    Ok(statement.query_row([consumer], |row| rows::number(row, 0)).optional()?.unwrap_or(0))
}
