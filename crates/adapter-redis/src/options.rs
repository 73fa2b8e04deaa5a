//! What the composition says about the server.

use std::path::PathBuf;

use kernel::{Duration, Secret};

/// Where the server is and how it is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// `redis://[USER:PASSWORD@]HOST:PORT[/DATABASE]`, or `rediss://` for TLS.
    pub address: Secret,
    /// The certificate authority that the server's certificate comes from, PEM, where it is none of
    /// those that the machine trusts.
    pub authority: Option<PathBuf>,
    /// Our certificate and its key, PEM, for a server that asks for them.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// How long the server may take to answer. Nothing here waits on the server, so it is short: a
    /// request of a customer waits for it.
    pub answer_time_max: Duration,
    /// How long connecting may take.
    pub connection_time_max: Duration,
}

impl Options {
    /// The usual ones, at an address.
    pub fn at(address: Secret) -> Self {
        Self {
            address,
            authority: None,
            identity: None,
            answer_time_max: Duration::from_millis(500),
            connection_time_max: Duration::from_secs(1),
        }
    }
}

/// Why Redis cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It is no address.
    #[error("the address of Redis is not understood: write redis://HOST:PORT ({0})")]
    Address(String),
    /// `rediss://` in a program without TLS.
    #[error("the address of Redis asks for TLS, and this program was built without it")]
    NoTls,
    /// A file that the options name cannot be read.
    #[error("reading the certificates of Redis: {0}")]
    Certificates(#[source] std::io::Error),
    /// No server, or one that refuses us.
    #[error("connecting to Redis at {place}: {reason}")]
    Connect {
        /// The address, without credentials.
        place: String,
        /// What went wrong.
        reason: String,
    },
}
