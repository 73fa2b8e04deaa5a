//! The store: one database with everything that the services keep.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::journal::{Error, Journal, Schema, Sent, Storage};
use tokio_postgres::config::{Config, SslMode};

use crate::connection::{Connection, Target, value};
use crate::journal::PostgresJournal;
use crate::migration;
use crate::options::Options;
use crate::queue::Queue;
use crate::readers::Readers;
use crate::statistics::{Counters, Statistics};
use crate::tables::{self, Tables};
use crate::tls::{self, Encryption};
use crate::writer::Writer;
use crate::{error, import, rows, sql};

const OPENING: &str = "opening a service's tables";
const VERSION_MIN: i32 = 150_000;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is not one.
    #[error("the address of the database is not one (postgres://USER:PASSWORD@HOST:PORT/DATABASE): {0}")]
    Address(#[source] tokio_postgres::Error),
    /// What the address says of encryption cannot be done.
    #[error("the address of the database asks for TLS: {0}")]
    Tls(String),
    /// Nobody answers there, or the account is refused.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// The server is too old.
    #[error("the database server has version {0}; 15 or newer is needed")]
    TooOld(String),
    /// A market is being moved into it.
    #[error(
        "the database holds half a market: a move into it (`a4co migrate`) is under way or was not finished; wait for \
         its end, or begin it anew with --again"
    )]
    Unfinished,
    /// Texts would not be kept as they are.
    #[error("the database has the encoding {0}; make one with ENCODING 'UTF8'")]
    Encoding(String),
}

/// An open database; clones are handles on the same one.
#[derive(Clone)]
pub struct PostgresStorage(Arc<Inner>);

struct Inner {
    target: Target,
    options: Options,
    readers: Arc<Readers>,
    counters: Arc<Counters>,
}

impl std::fmt::Debug for PostgresStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStorage").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl PostgresStorage {
    /// Opens the database at `address`, a `postgres://` URL, and looks whether it can be used.
    pub async fn open(address: &str, options: Options) -> Result<Self, OpenError> {
        let (target, mut conn) = connect(address, &options).await?;
        if import::is_unfinished(&mut conn).await.map_err(unreachable)? {
            return Err(OpenError::Unfinished);
        }
        Ok(Self::on(target, options))
    }

    /// As `open`, also where a market is still being moved in.
    pub(crate) async fn open_unfinished(address: &str, options: Options) -> Result<Self, OpenError> {
        connect(address, &options).await.map(|(target, _)| Self::on(target, options))
    }

    fn on(target: Target, options: Options) -> Self {
        let readers = Arc::new(Readers::new(target.clone(), options.readers));
        Self(Arc::new(Inner { target, options, readers, counters: Arc::default() }))
    }

    /// What the writers have done since the store was opened.
    pub fn stats(&self) -> Statistics {
        self.0.counters.read()
    }
}

fn unreachable(error: tokio_postgres::Error) -> OpenError {
    OpenError::Unreachable(error::said(&error))
}

/// Connects, and looks whether the server can be used.
pub(crate) async fn connect(address: &str, options: &Options) -> Result<(Target, Connection), OpenError> {
    let target = target(address, options)?;
    let mut conn = target.connect().await.map_err(unreachable)?;
    let about = "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
                 current_setting('server_encoding')";
    let rows = conn.rows(about, Vec::new()).await.map_err(unreachable)?;
    if let Some(row) = rows.first() {
        if row.get::<_, i32>(0) < VERSION_MIN {
            return Err(OpenError::TooOld(row.get(1)));
        }
        if row.get::<_, &str>(2) != "UTF8" {
            return Err(OpenError::Encoding(row.get(2)));
        }
    }
    Ok((target, conn))
}

/// Where `address` points.
pub(crate) fn target(address: &str, options: &Options) -> Result<Target, OpenError> {
    let (address, asked) = tls::take_out(address);
    let mut config: Config = address.parse().map_err(OpenError::Address)?;
    let encryption = Encryption::of(&asked).map_err(OpenError::Tls)?;
    if encryption.is_none() && config.get_ssl_mode() == SslMode::Require {
        let form = "write the address as postgres://…?sslmode=verify-full".to_owned();
        return Err(OpenError::Tls(form));
    }
    config.ssl_mode(if encryption.is_some() { SslMode::Require } else { SslMode::Disable });
    Ok(Target::new(config, encryption, options))
}

#[async_trait]
impl Storage for PostgresStorage {
    async fn open(&self, schema: Schema) -> Result<Arc<dyn Journal>, Error> {
        let Inner { target, options, readers, counters } = &*self.0;
        let tables = Arc::new(Tables::new(&schema)?);
        let mut conn = target.connect().await.map_err(|e| error::unavailable(OPENING, error::said(&e)))?;
        migration::open(&mut conn, &tables).await?;
        let queue = Arc::new(Queue::new(options.queue_max));
        let writer = Writer {
            target: target.clone(),
            options: options.clone(),
            tables: tables.clone(),
            queue: queue.clone(),
            counters: counters.clone(),
        };
        writer.start();
        let (target, readers, counters) = (target.clone(), readers.clone(), counters.clone());
        Ok(Arc::new(PostgresJournal { target, tables, readers, queue, counters }))
    }

    async fn published_by(&self, service: &str, after: u64, limit: usize) -> Result<Vec<Sent>, Error> {
        const READING: &str = "reading what a service published";
        let sql = sql::outgoing(&tables::schema_of(service)?);
        let values = vec![value(rows::signed(after)), value(rows::limit(limit))];
        let mut conn = self.0.readers.take(READING).await?;
        match conn.rows(&sql, values).await {
            Ok(found) => found
                .iter()
                .map(|row| rows::envelope(row).map(|(position, envelope)| Sent { position, envelope }))
                .collect::<Result<_, _>>()
                .map_err(|e| error::journal(READING, &e)),
            // It has never been opened here.
            Err(error) if error::is_missing_table(&error) => Ok(Vec::new()),
            Err(error) => Err(error::journal(READING, &error)),
        }
    }

    /// Other processes may have it open.
    fn is_shared(&self) -> bool {
        true
    }
}
