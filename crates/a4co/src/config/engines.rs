//! Servers instead of the file in the data directory.

use std::path::PathBuf;

use garde::Validate;
use humantime_serde::re::humantime;
use kernel::{Duration, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const ACK_WAIT: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(3_600)];

/// Servers that keep state and carry events, for more than one process. Both or neither.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Engines {
    /// A PostgreSQL database, 15 or newer: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with
    /// `?sslmode=verify-full&sslrootcert=FILE` for TLS.
    #[garde(skip)]
    pub postgres: Option<Secret>,
    /// A NATS server with JetStream, 2.9 or newer: `nats://HOST:4222`, or `tls://HOST:4222`; several of
    /// a cluster with commas between them.
    #[garde(skip)]
    pub nats: Option<String>,
    /// Who this process is at the NATS server, where that asks (`a4co nats-config`).
    #[garde(skip)]
    pub nats_user: Option<String>,
    /// The password of `nats_user`.
    #[garde(skip)]
    pub nats_password: Option<Secret>,
    /// The seed of this process's nkey (`SU…`), instead of a password.
    #[garde(skip)]
    pub nats_nkey: Option<Secret>,
    /// A file with a JWT and its seed (`.creds`), instead of either.
    #[garde(skip)]
    pub nats_creds: Option<PathBuf>,
    /// The NATS server greets only after the handshake (`handshake_first` in its configuration).
    #[garde(skip)]
    pub nats_tls_first: bool,
    /// Whose word is taken for the NATS server, and our certificate. Where one is named, a server
    /// without TLS is refused.
    #[garde(skip)]
    pub nats_tls: Tls,
    /// After how long NATS delivers again what nobody has acknowledged or kept alive: longer than a
    /// process may stand still.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    #[garde(custom(is_ack_wait))]
    pub nats_ack_wait: Duration,
    /// The NATS server syncs every write before it says that it has it (`sync_interval: always` in its
    /// own configuration, from 2.10 on): nobody can ask it, and unsaid there is a warning at start.
    #[garde(skip)]
    pub nats_syncs_always: bool,
    /// A RabbitMQ server, 3.10 or newer, instead of NATS: `amqp://USER:PASSWORD@HOST:PORT/VHOST`,
    /// `amqps://` for TLS.
    #[garde(skip)]
    pub rabbitmq: Option<Secret>,
    /// Whose word is taken for the RabbitMQ server, and our certificate.
    #[garde(skip)]
    pub rabbitmq_tls: Tls,
    /// A Redis server, 6 or newer, for what several processes share besides state and events (rate
    /// limits, seen tokens, sessions, hints): `redis://[USER:PASSWORD@]HOST:PORT`, `rediss://` for TLS.
    #[garde(skip)]
    pub redis: Option<Secret>,
    /// Whose word is taken for the Redis server, and our certificate.
    #[garde(skip)]
    pub redis_tls: Tls,
    /// The most deliveries of one consumer on their way at a time: 100 for each of its lanes.
    #[garde(range(min = 1, max = 60_000))]
    pub in_flight_max: u16,
    /// Over how many readers the subjects of a context are spread; the same in every process.
    #[garde(range(min = 1, max = 64))]
    pub partitions: u32,
}

impl Default for Engines {
    fn default() -> Self {
        Self {
            postgres: None,
            nats: None,
            nats_user: None,
            nats_password: None,
            nats_nkey: None,
            nats_creds: None,
            nats_tls_first: false,
            nats_tls: Tls::default(),
            nats_ack_wait: Duration::from_secs(30),
            nats_syncs_always: false,
            rabbitmq: None,
            rabbitmq_tls: Tls::default(),
            redis: None,
            redis_tls: Tls::default(),
            in_flight_max: 1_600,
            partitions: 1,
        }
    }
}

/// The files of an encrypted connection, PEM. Without an authority the machine's are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The certificate of the authority that speaks for the server, where it is your own.
    pub authority: Option<PathBuf>,
    /// Our certificate, for a server that asks for one.
    pub certificate: Option<PathBuf>,
    /// The key of our certificate.
    pub key: Option<PathBuf>,
}

impl Tls {
    /// Something is said of it.
    pub fn is_set(&self) -> bool {
        *self != Self::default()
    }
}

fn is_ack_wait(wait: &Duration, (): &()) -> garde::Result {
    let [min, max] = ACK_WAIT;
    match (min..=max).contains(wait) {
        true => Ok(()),
        false => {
            let [min, max] = ACK_WAIT.map(humantime::format_duration);
            Err(garde::Error::new(format!("write a span from {min} to {max}")))
        }
    }
}
