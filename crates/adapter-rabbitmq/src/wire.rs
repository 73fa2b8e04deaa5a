//! A connection that is kept up. What was on its way when it broke is unknown: whoever waits gets an
//! error and asks again. The client's own recovery would subscribe again behind the readers' backs,
//! who must put in order what comes again; so it stays off, and recovery is here.

use std::sync::Arc;
use std::time::Duration as Limit;

use backbone::bus::Error;
use futures::StreamExt;
use futures::future::BoxFuture;
use kernel::Duration;
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::AMQPUri;
use lapin::{Channel, ConnectionProperties, Event};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::{StartError, unavailable, within};
use crate::options::Options;

/// The longest pause between two attempts to connect again.
const RETRY_MAX: Duration = Duration::from_secs(4);
/// How often a connection that says nothing is looked at.
const LOOK: Limit = Limit::from_secs(1);

/// The end of a channel that the broker closed may strike the one that gets its number next.
const OPENED_MAX: u32 = 4;

/// What is known of the connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Connection {
    /// A server answers.
    pub is_up: bool,
    /// How often it came up; more than one is a reconnection.
    pub ups: u64,
    /// The server takes no messages for now: it is short of memory or disk.
    pub is_blocked: bool,
}

/// Makes sure of what must be there before a new connection is used.
pub(crate) type Prepare = Arc<dyn Fn(Wire) -> BoxFuture<'static, Result<(), StartError>> + Send + Sync>;

/// How to connect.
struct Way {
    uri: AMQPUri,
    tls: OwnedTLSConfig,
    name: String,
    limit: Duration,
}

/// A connection that is there now, or is not.
#[derive(Clone)]
pub(crate) struct Wire {
    current: watch::Receiver<Option<Arc<lapin::Connection>>>,
    limit: Duration,
}

/// Keeps a wire up for as long as it lives.
pub(crate) struct Keeper {
    pub(crate) wire: Wire,
    pub(crate) state: watch::Receiver<Connection>,
    task: JoinHandle<()>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Wire {
    /// A new channel.
    pub(crate) async fn channel(&self, operation: &'static str) -> Result<Channel, Error> {
        let current = self.current.borrow().clone();
        let Some(connection) = current.filter(|connection| connection.status().connected()) else {
            return Err(unavailable(operation, "not connected"));
        };
        let opened = async {
            let mut opened = connection.create_channel().await;
            for _ in 1..OPENED_MAX {
                match &opened {
                    Err(error) if error.is_amqp_soft_error() => opened = connection.create_channel().await,
                    _ => break,
                }
            }
            opened
        };
        within(self.limit, operation, opened).await
    }

    /// Whether the server takes no messages for now.
    pub(crate) fn is_blocked(&self) -> bool {
        self.current.borrow().as_ref().is_some_and(|connection| connection.status().blocked())
    }

    /// Says good-bye.
    pub(crate) async fn close(&self) {
        let current = self.current.borrow().clone();
        if let Some(connection) = current {
            // Where this fails there is no connection to close.
            let _ = within(self.limit, "closing", connection.close(200, "bye".into())).await;
        }
    }
}

impl Keeper {
    /// Connects, and connects again whenever the connection is lost.
    pub(crate) async fn open(options: &Options, role: &str, prepare: Prepare) -> Result<Self, StartError> {
        let way = Way::of(options, role)?;
        let connection = way.connect(&prepare).await?;
        let (current, receiver) = watch::channel(Some(connection.clone()));
        let (state, states) = watch::channel(Connection { is_up: true, ups: 1, is_blocked: false });
        let wire = Wire { current: receiver, limit: way.limit };
        let task = tokio::spawn(async move { keep_up(&way, &prepare, &current, &state, connection).await });
        Ok(Self { wire, state: states, task })
    }
}

async fn keep_up(
    way: &Way,
    prepare: &Prepare,
    current: &watch::Sender<Option<Arc<lapin::Connection>>>,
    state: &watch::Sender<Connection>,
    mut connection: Arc<lapin::Connection>,
) {
    loop {
        let reason = end_of(&connection, state).await;
        tracing::warn!(name = way.name, reason, "the connection to RabbitMQ is lost");
        current.send_replace(None);
        state.send_modify(|state| *state = Connection { is_up: false, is_blocked: false, ..*state });
        let mut attempt = 0;
        connection = loop {
            tokio::time::sleep(pause_before(attempt)).await;
            attempt += 1;
            match way.connect(prepare).await {
                Ok(connection) => break connection,
                Err(error) => tracing::debug!(name = way.name, attempt, %error, "not connected again yet"),
            }
        };
        current.send_replace(Some(connection.clone()));
        state.send_modify(|state| {
            *state = Connection { is_up: true, ups: state.ups + 1, is_blocked: false };
        });
        tracing::info!(name = way.name, attempt, "connected to RabbitMQ again");
    }
}

/// Waits until a connection ends; gives why.
async fn end_of(connection: &lapin::Connection, state: &watch::Sender<Connection>) -> String {
    let mut events = connection.events_listener().boxed();
    loop {
        let event = tokio::time::timeout(LOOK, events.next()).await;
        match event {
            Ok(Some(Event::ConnectionBlocked(reason))) => {
                tracing::warn!(reason, "RabbitMQ takes no messages for now");
                state.send_modify(|state| state.is_blocked = true);
            }
            Ok(Some(Event::ConnectionUnblocked)) => {
                tracing::info!("RabbitMQ takes messages again");
                state.send_modify(|state| state.is_blocked = false);
            }
            Ok(Some(Event::Error(error))) if !connection.status().connected() => return error.to_string(),
            Ok(None) => return "the client has ended".to_owned(),
            _ if !connection.status().connected() => return "it ended without a word".to_owned(),
            _ => {}
        }
    }
}

impl Way {
    fn of(options: &Options, role: &str) -> Result<Self, StartError> {
        let parsed = options.address.reveal().parse::<AMQPUri>();
        let mut uri = parsed.map_err(|_| {
            let form = "`address` is not of the form amqp://USER:PASSWORD@HOST:PORT/VHOST";
            StartError::Options(form.to_owned())
        })?;
        let heartbeat = options.heartbeat.as_secs().clamp(1, u64::from(u16::MAX));
        uri.query.heartbeat = u16::try_from(heartbeat).ok();
        let milliseconds = u64::try_from(options.answer_time_max.as_millis()).unwrap_or(u64::MAX);
        uri.query.connection_timeout = Some(milliseconds);
        let read = |path: &std::path::PathBuf| {
            std::fs::read(path)
                .map_err(|source| StartError::File { path: path.display().to_string(), source })
        };
        let authority = options.tls.authority.as_ref().map(read).transpose()?;
        let identity = match &options.tls.identity {
            None => None,
            Some((certificate, key)) => {
                Some(OwnedIdentity::PKCS8 { pem: read(certificate)?, key: read(key)? })
            }
        };
        let cert_chain = authority.map(|pem| String::from_utf8_lossy(&pem).into_owned());
        let tls = OwnedTLSConfig { identity, cert_chain };
        Ok(Self { uri, tls, name: format!("{} {role}", options.name), limit: options.answer_time_max })
    }

    async fn connect(&self, prepare: &Prepare) -> Result<Arc<lapin::Connection>, StartError> {
        let failed = |reason: String| StartError::Connect {
            server: format!("{}:{}", self.uri.authority.host, self.uri.authority.port),
            reason,
        };
        let properties = ConnectionProperties::default().with_connection_name(self.name.as_str().into());
        let connecting = lapin::Connect::connect_with_config(
            self.uri.clone(),
            properties,
            self.tls.clone(),
            lapin::runtime::default_runtime().map_err(|error| failed(error.to_string()))?,
        );
        let connected = tokio::time::timeout(self.limit, connecting).await;
        let connected = connected.map_err(|_| failed("no answer".to_owned()))?;
        let connection = Arc::new(connected.map_err(|error| failed(error.to_string()))?);
        let (_sender, current) = watch::channel(Some(connection.clone()));
        prepare(Wire { current, limit: self.limit }).await?;
        Ok(connection)
    }
}

/// Soon at first, then every few seconds.
fn pause_before(attempt: u32) -> Duration {
    match attempt {
        0 => Duration::ZERO,
        _ => (Duration::from_millis(50) * 2u32.pow(attempt.saturating_sub(1).min(10))).min(RETRY_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let pauses: Vec<u128> = (0..10).map(|attempt| pause_before(attempt).as_millis()).collect();
        assert_eq!(pauses, [0, 50, 100, 200, 400, 800, 1_600, 3_200, 4_000, 4_000]);
        assert_eq!(pause_before(u32::MAX), RETRY_MAX);
    }

    #[test]
    fn an_address_of_another_form_is_refused_and_not_shown() {
        let address = kernel::Secret::new("http://ana:pssst@one".to_owned());
        let refused = Way::of(&Options { address, ..Options::default() }, "reads");
        let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains("amqp://") && !refused.contains("pssst"), "{refused}");
    }
}
