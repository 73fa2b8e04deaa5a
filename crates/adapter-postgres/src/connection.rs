//! One connection: how it is opened, which settings it has, the statements it has prepared.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, NoTls, Row, Statement};

use crate::options::Options;
use crate::pipeline;
use crate::tls::Encryption;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// How long the network may be silent before a connection counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// The most statements kept prepared.
const STATEMENTS_MAX: usize = 1_024;
/// Rows of keys are found through indexes whatever the planner knows of a table: a plan made while
/// it was small would read all of it for ever after.
const PLANS: &str = "SET enable_seqscan = off; SET jit = off";

/// A value for a statement.
pub(crate) type Value<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// A statement with its values.
pub(crate) struct Ask<'a> {
    pub(crate) sql: &'a str,
    pub(crate) values: Vec<Value<'a>>,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(sql: &'a str, values: Vec<Value<'a>>) -> Self {
        Self { sql, values }
    }
}

/// A statement on its way.
type Sending<'a> = BoxFuture<'a, Result<Vec<Row>, Error>>;

/// Boxes a value.
pub(crate) fn value<'a>(value: impl ToSql + Sync + Send + 'a) -> Value<'a> {
    Box::new(value)
}

/// Where connections go, and how they are set.
#[derive(Clone)]
pub(crate) struct Target {
    config: Config,
    encryption: Option<Encryption>,
    settings: String,
}

/// Names a session on the server, so that another can make sure that it is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pid: i32,
    started: i64,
}

/// An open connection, used by one at a time.
pub(crate) struct Connection {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl Target {
    pub(crate) fn new(mut config: Config, encryption: Option<Encryption>, options: &Options) -> Self {
        config.connect_timeout(CONNECT_TIME_MAX).tcp_user_timeout(SILENCE_MAX).keepalives_idle(SILENCE_MAX);
        if config.get_application_name().is_none() {
            config.application_name("a4co");
        }
        let settings = format!(
            "SET synchronous_commit = on; SET lock_timeout = {}; SET statement_timeout = {}; \
             SET idle_in_transaction_session_timeout = {}; SET client_min_messages = warning; {PLANS}",
            options.lock_time_max.as_millis(),
            options.statement_time_max.as_millis(),
            options.lock_time_max.as_millis() * 2,
        );
        Self { config, encryption, settings }
    }

    pub(crate) async fn connect(&self) -> Result<Connection, Error> {
        // The driver ends with the client; why it ended, the client's next statement says.
        let client = match &self.encryption {
            Some(encryption) => {
                let (client, driver) = self.config.connect(encryption.clone()).await?;
                tokio::spawn(driver);
                client
            }
            None => {
                let (client, driver) = self.config.connect(NoTls).await?;
                tokio::spawn(driver);
                client
            }
        };
        client.batch_execute(&self.settings).await?;
        Ok(Connection { client, statements: HashMap::new() })
    }
}

impl Connection {
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs statements without values.
    pub(crate) async fn run(&self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await
    }

    /// Prepares a statement once; its plan is kept with the connection.
    async fn prepare(&mut self, sql: &str) -> Result<(), Error> {
        if self.statements.contains_key(sql) {
            return Ok(());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(sql.to_owned(), statement);
        Ok(())
    }

    /// Runs one statement and gives its rows.
    pub(crate) async fn rows(&mut self, sql: &str, values: Vec<Value<'_>>) -> Result<Vec<Row>, Error> {
        let mut answers = self.all(None, &[Ask { sql, values }], None).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Runs statements in one round trip, perhaps between two others; gives the rows of each. The
    /// first that fails gives the error.
    pub(crate) async fn all(
        &mut self,
        before: Option<&'static str>,
        asks: &[Ask<'_>],
        after: Option<&'static str>,
    ) -> Result<Vec<Vec<Row>>, Error> {
        if self.statements.len() + asks.len() > STATEMENTS_MAX {
            self.statements.clear();
        }
        for ask in asks {
            self.prepare(ask.sql).await?;
        }
        let client = &self.client;
        let simple = |sql: &'static str| -> Sending<'_> {
            Box::pin(async move { client.batch_execute(sql).await.map(|()| Vec::new()) })
        };
        let mut sending: Vec<Sending<'_>> = Vec::with_capacity(asks.len() + 2);
        sending.extend(before.map(simple));
        for ask in asks {
            let statement = &self.statements[ask.sql];
            let values: Vec<&(dyn ToSql + Sync)> =
                ask.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
            sending.push(Box::pin(async move { client.query(statement, &values).await }));
        }
        sending.extend(after.map(simple));
        let count = sending.len();
        let mut answers = pipeline::in_order(sending).await;
        if answers.len() < count && before.is_some() {
            // Its end was not sent. Should this fail, the session is over, and with it the rest.
            let _ = client.batch_execute("ROLLBACK").await;
        }
        // Of a transaction that failed, the end reports success: it was rolled back.
        let failed = answers
            .iter()
            .position(|answer| matches!(answer, Err(error) if !crate::error::is_aftermath(error)));
        if let Some(failed) = failed {
            return answers.swap_remove(failed).map(|_| Vec::new());
        }
        let skipped = usize::from(before.is_some());
        answers.into_iter().skip(skipped).take(asks.len()).collect()
    }

    /// Names this connection's session.
    pub(crate) async fn session(&self) -> Result<Session, Error> {
        let row = self
            .client
            .query_one(
                "SELECT pid, (extract(epoch FROM backend_start) * 1000000)::bigint FROM pg_stat_activity \
                 WHERE pid = pg_backend_pid()",
                &[],
            )
            .await?;
        Ok(Session { pid: row.get(0), started: row.get(1) })
    }

    /// Ends another session of ours, if it is still there, and waits until it is over: what it had
    /// not committed by now it never will.
    pub(crate) async fn end(&self, session: Session) -> Result<(), Error> {
        const WAIT_MS: i64 = 5_000;
        self.client
            .query(
                "SELECT pg_terminate_backend(pid, $3) FROM pg_stat_activity \
                 WHERE pid = $1 AND (extract(epoch FROM backend_start) * 1000000)::bigint = $2",
                &[&session.pid, &session.started, &WAIT_MS],
            )
            .await
            .map(drop)
    }
}
