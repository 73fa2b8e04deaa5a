//! Errors at the start, and how the client's errors become the port's.

use std::fmt::Display;
use std::future::Future;

use backbone::bus::Error;
use kernel::Duration;
use lapin::ErrorKind;

/// Why the bus does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No server, or one that refuses us.
    #[error("connecting to RabbitMQ at {server}: {reason}")]
    Connect {
        /// The address, without credentials.
        server: String,
        /// What went wrong.
        reason: String,
    },
    /// A file that the options name cannot be read.
    #[error("reading {path}: {source}")]
    File {
        /// Which one.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The server refuses an exchange or a queue, or has one that differs.
    #[error("making sure of {what}: {reason}")]
    Topology {
        /// Which one.
        what: String,
        /// What the server said: where one differs, it names the setting.
        reason: String,
    },
    /// The options contradict themselves.
    #[error("the options of the RabbitMQ bus: {0}")]
    Options(String),
}

/// The port's error for whatever the client or the server said.
pub(crate) fn unavailable(operation: &'static str, reason: impl Display) -> Error {
    Error::Unavailable { operation, reason: reason.to_string() }
}

/// Waits for an answer as long as one may take. An error says nothing about what the broker did.
pub(crate) async fn within<T>(
    limit: Duration,
    operation: &'static str,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(|error| unavailable(operation, error)),
        Err(_) => Err(unavailable(operation, format_args!("no answer within {} ms", limit.as_millis()))),
    }
}

/// The server has no queue or exchange of this name.
pub(crate) fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(said) if said.get_id() == 404)
}
