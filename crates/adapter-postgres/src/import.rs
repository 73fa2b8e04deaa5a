//! Taking in a market that comes from another store: into a database without one, page by page, a
//! transaction for each service. A mark stands in the database meanwhile, so that nobody takes half
//! a market for a whole one.

use std::time::Duration;

use backbone::journal::{Error, Schema};
use backbone::moving::{Counts, Ends, Page, WrappedKey};
use kernel::Timestamp;

use crate::connection::{Connection, value};
use crate::error;
use crate::migration;
use crate::options::Options;
use crate::rows::{limit as bound, number, signed};
use crate::storage::{self, OpenError, PostgresStorage};
use crate::tables::{Tables, schema_of};

mod mark;
mod pages;

pub(crate) use mark::is_there as is_unfinished;

const TAKING_IN: &str = "taking in a market";
const COMPARING: &str = "comparing a market that moved";

/// Statements write whole pages, and whoever reads the source may take its time.
const STATEMENT_TIME_MAX: Duration = Duration::from_secs(600);
const LOCK_TIME_MAX: Duration = Duration::from_secs(60);

/// Why no market is taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The database cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It does not do what it is told.
    #[error(transparent)]
    Journal(#[from] Error),
    /// There is something in it.
    #[error(
        "the database is not empty (its schema {schema} has the table `{table}`): nothing is overwritten; move into a \
         new one (CREATE DATABASE …)"
    )]
    Occupied {
        /// Where.
        schema: String,
        /// What was found first.
        table: String,
    },
    /// Somebody began before and did not come to the end.
    #[error(
        "the database holds half a market: a move that began at {began_at} was not finished, and nothing of it has run; \
         --again clears what it left and begins anew"
    )]
    Unfinished {
        /// When it began.
        began_at: Timestamp,
    },
    /// Two at a time.
    #[error("another process moves a market into this database just now: wait for its end")]
    UnderWay,
}

/// A database that takes a market in. Dropped before its end it leaves the mark.
pub struct Import {
    conn: Connection,
    address: String,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").finish_non_exhaustive()
    }
}

fn failed(error: tokio_postgres::Error) -> Error {
    error::journal(TAKING_IN, &error)
}

impl Import {
    /// Begins, in a database that has nothing of `services`. `again` clears what an unfinished move
    /// left, and nothing else.
    pub async fn begin(address: &str, services: &[&str], again: bool) -> Result<Self, ImportError> {
        let options = Options {
            statement_time_max: STATEMENT_TIME_MAX,
            lock_time_max: LOCK_TIME_MAX,
            ..Options::default()
        };
        let (_, mut conn) = storage::connect(address, &options).await?;
        if !mark::take_turn(&mut conn).await.map_err(failed)? {
            return Err(ImportError::UnderWay);
        }
        let mut schemas = services.iter().map(|service| schema_of(service)).collect::<Result<Vec<_>, _>>()?;
        schemas.push("\"keyring\"".to_owned());
        if let Some(began_at) = mark::began_at(&mut conn).await.map_err(failed)? {
            if !again {
                return Err(ImportError::Unfinished { began_at });
            }
            mark::clear(&conn, &schemas).await.map_err(failed)?;
        }
        if let Some((schema, table)) = mark::occupied(&mut conn, &schemas).await.map_err(failed)? {
            return Err(ImportError::Occupied { schema, table });
        }
        mark::set(&conn).await.map_err(failed)?;
        Ok(Self { conn, address: address.to_owned() })
    }

    /// Begins with a service: its tables are made, and filled in one transaction.
    pub async fn service(&mut self, schema: &Schema) -> Result<ServiceImport<'_>, Error> {
        let tables = Tables::new(schema)?;
        migration::open(&mut self.conn, &tables).await?;
        self.conn.run("BEGIN").await.map_err(failed)?;
        Ok(ServiceImport { conn: &mut self.conn, tables })
    }

    /// Takes in keys of persons, wrapped as they are; those that were destroyed stay so.
    pub async fn keys(&mut self, keys: &[WrappedKey]) -> Result<(), Error> {
        self.conn.run(crate::keyring::TABLES).await.map_err(failed)?;
        pages::keys(&mut self.conn, keys).await.map_err(failed)
    }

    /// How many keys of persons there are, and how many of them were destroyed.
    pub async fn count_keys(&mut self) -> Result<(u64, u64), Error> {
        self.conn.run(crate::keyring::TABLES).await.map_err(failed)?;
        let sql = "SELECT count(*), count(*) FILTER (WHERE erased_at <> 0) FROM keyring.keys";
        let rows = self.conn.rows(sql, Vec::new()).await.map_err(failed)?;
        let read = || -> Result<(u64, u64), tokio_postgres::Error> {
            rows.first().map_or(Ok((0, 0)), |row| Ok((number(row, 0)?, number(row, 1)?)))
        };
        read().map_err(failed)
    }

    /// How many rows a service has.
    pub async fn counts(&mut self, schema: &Schema) -> Result<Counts, Error> {
        let tables = Tables::new(schema)?;
        let mut names: Vec<String> =
            ["events", "snapshots", "answers", "inbox", "log", "checkpoints"].map(str::to_owned).into();
        names.extend(tables.collections.keys().map(|name| format!("c_{name}")));
        let mut counts = Counts::new();
        for name in names {
            let sql = format!("SELECT count(*) FROM {}.{name}", tables.schema);
            let rows = self.conn.rows(&sql, Vec::new()).await;
            let rows = rows.map_err(|e| error::journal(COMPARING, &e))?;
            let count = rows.first().map_or(Ok(0), |row| number(row, 0));
            counts.insert(name, count.map_err(|e| error::journal(COMPARING, &e))?);
        }
        Ok(counts)
    }

    /// The streams of a service after `after` with their versions, at most `limit`, by name.
    pub async fn heads(
        &mut self,
        schema: &Schema,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, u64)>, Error> {
        let sql = format!(
            "SELECT stream, max(version) FROM {}.events WHERE stream > $1 GROUP BY stream ORDER BY stream LIMIT $2",
            schema_of(schema.service)?
        );
        let unread = |e: tokio_postgres::Error| error::journal(COMPARING, &e);
        let rows = self.conn.rows(&sql, vec![value(after), value(bound(limit))]).await.map_err(unread)?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, number(row, 1)?)))
            .collect::<Result<_, _>>()
            .map_err(unread)
    }

    /// The store as it stands by now, to look at it: nobody else is let in before the end.
    pub async fn storage(&self) -> Result<PostgresStorage, OpenError> {
        PostgresStorage::open_unfinished(&self.address, Options::default()).await
    }

    /// It is a market: the mark goes, and whoever comes is let in.
    pub async fn finish(self) -> Result<(), Error> {
        // What is known of the tables was learnt while they were empty.
        self.conn.run("ANALYZE").await.map_err(failed)?;
        mark::remove(&self.conn).await.map_err(failed)
    }
}

/// A service that is being taken in. Dropped before its end it leaves empty tables.
pub struct ServiceImport<'i> {
    conn: &'i mut Connection,
    tables: Tables,
}

impl std::fmt::Debug for ServiceImport<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ServiceImport").field(&self.tables.service).finish()
    }
}

impl ServiceImport<'_> {
    /// Takes in a page; gives how many of its rows were new.
    pub async fn take(&mut self, page: &Page) -> Result<u64, Error> {
        pages::take(self.conn, &self.tables, page).await
    }

    /// Ends it: what is committed next comes after `ends`.
    pub async fn finish(self, ends: Ends) -> Result<(), Error> {
        let sql = format!("UPDATE {}.positions SET events = $1, log = $2", self.tables.schema);
        let values = vec![value(signed(ends.events)), value(signed(ends.log))];
        self.conn.rows(&sql, values).await.map_err(failed)?;
        self.conn.run("COMMIT").await.map_err(failed)
    }
}
