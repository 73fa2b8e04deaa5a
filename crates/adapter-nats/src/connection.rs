//! The connection: kept up for ever, and its state for whoever watches.

use async_nats::{Client, ConnectOptions, Event};
use kernel::Duration;
use tokio::sync::watch;

use crate::error::StartError;
use crate::options::{Credentials, Options};

/// The longest pause between two attempts to connect again.
const RETRY_MAX: Duration = Duration::from_secs(4);
/// A silent connection is noticed after two of these.
const PING: Duration = Duration::from_secs(10);

/// What is known of the connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Connection {
    /// A server answers.
    pub is_up: bool,
    /// How often it came up; more than one is a reconnection.
    pub ups: u64,
}

/// Connects, and connects again whenever the connection is lost.
pub(crate) async fn connect(options: &Options) -> Result<(Client, watch::Receiver<Connection>), StartError> {
    let (sender, mut state) = watch::channel(Connection::default());
    let with = with_credentials(ConnectOptions::new(), &options.credentials).await?;
    let with = with_tls(with, options)
        .name(&options.name)
        .ping_interval(PING)
        .connection_timeout(options.answer_time_max)
        .request_timeout(Some(options.answer_time_max))
        .max_reconnects(None)
        .reconnect_delay_callback(pause_before)
        .event_callback(move |event| {
            note(&sender, &event);
            async {}
        });
    // Nobody else may hear the answers.
    let with = match user_of(options) {
        Some(user) => with.custom_inbox_prefix(inbox_of(user)),
        None => with,
    };
    let failed = |reason: String| StartError::Connect { servers: without_secrets(&options.servers), reason };
    let client = with.connect(&options.servers[..]).await.map_err(|error| failed(chain(&error)))?;
    // The first event is on its way; whoever asks for the state finds it there.
    match tokio::time::timeout(options.answer_time_max, state.wait_for(|state| state.is_up)).await {
        Ok(Ok(_)) => {}
        _ => return Err(failed("the connection was lost at once".to_owned())),
    }
    Ok((client, state))
}

/// The user that the options name.
fn user_of(options: &Options) -> Option<&str> {
    match &options.credentials {
        Credentials::User { name, .. } => Some(name),
        _ => options.user.as_deref(),
    }
}

/// Where answers to a user come: `accounts` lets it hear nothing else.
pub(crate) fn inbox_of(user: &str) -> String {
    let word = user.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' });
    format!("_INBOX_{}", word.collect::<String>())
}

async fn with_credentials(with: ConnectOptions, who: &Credentials) -> Result<ConnectOptions, StartError> {
    Ok(match who {
        Credentials::None => with,
        Credentials::User { name, password } => {
            with.user_and_password(name.clone(), password.reveal().to_owned())
        }
        Credentials::NKey(seed) => with.nkey(seed.reveal().to_owned()),
        Credentials::File(path) => {
            let failed = |source| StartError::Credentials { path: path.clone(), source };
            with.credentials_file(path).await.map_err(failed)?
        }
    })
}

fn with_tls(mut with: ConnectOptions, options: &Options) -> ConnectOptions {
    let tls = &options.tls;
    if let Some(authority) = &tls.authority {
        with = with.add_root_certificates(authority.clone());
    }
    if let Some((certificate, key)) = &tls.identity {
        with = with.add_client_certificate(certificate.clone(), key.clone());
    }
    if tls.first {
        with = with.tls_first();
    }
    with.require_tls(tls.is_required)
}

/// Soon at first, then every few seconds.
fn pause_before(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
    match attempt {
        0 => Duration::ZERO,
        _ => (Duration::from_millis(50) * 2u32.pow(doublings)).min(RETRY_MAX),
    }
}

fn note(state: &watch::Sender<Connection>, event: &Event) {
    match event {
        Event::Connected => state.send_modify(|state| {
            *state = Connection { is_up: true, ups: state.ups + 1 };
        }),
        Event::Disconnected | Event::Closed => state.send_modify(|state| state.is_up = false),
        Event::LameDuckMode | Event::Draining => {}
        Event::SlowConsumer(_) | Event::ServerError(_) | Event::ClientError(_) => {
            tracing::warn!(%event, "the NATS client reports");
            return;
        }
    }
    tracing::info!(%event, "the connection to NATS");
}

/// An address may carry a password before its `@`.
fn without_secrets(servers: &[String]) -> String {
    let bare = |server: &String| match server.rsplit_once('@') {
        Some((_, place)) => format!("***@{place}"),
        None => server.clone(),
    };
    servers.iter().map(bare).collect::<Vec<_>>().join(", ")
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let pauses: Vec<u128> = (0..10).map(|attempt| pause_before(attempt).as_millis()).collect();
        assert_eq!(pauses, [0, 50, 100, 200, 400, 800, 1_600, 3_200, 4_000, 4_000]);
        assert_eq!(pause_before(usize::MAX), RETRY_MAX);
    }

    #[test]
    fn answers_come_to_the_user_that_is_named() {
        let credentials = Credentials::User { name: "order".into(), password: kernel::Secret::new("x") };
        assert_eq!(user_of(&Options { credentials, ..Options::default() }), Some("order"));
        assert_eq!(user_of(&Options::default()), None);
        let named = Options { user: Some("payment".into()), ..Options::default() };
        assert_eq!(user_of(&named), Some("payment"), "an nkey has no name of its own");
        assert_eq!((inbox_of("order-2"), inbox_of("a.b*")), ("_INBOX_order-2".into(), "_INBOX_a_b_".into()));
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let servers = ["nats://ana:pssst@one:4222".to_owned(), "nats://two:4222".to_owned()];
        assert_eq!(without_secrets(&servers), "***@one:4222, nats://two:4222");
    }
}
