//! Errors at the start, and how the client's errors become the port's.

use std::fmt::Display;
use std::path::PathBuf;

use backbone::bus::Error;

/// Why the bus does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No server, or one that refuses us.
    #[error("connecting to NATS at {servers}: {reason}")]
    Connect {
        /// The addresses, without credentials.
        servers: String,
        /// What went wrong.
        reason: String,
    },
    /// A file that the options name cannot be read.
    #[error("{path} is no file of credentials with a JWT and its seed: {source}")]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// The server has no JetStream, or refuses a stream.
    #[error("making sure of the stream {stream}: {reason}")]
    Stream {
        /// Which stream.
        stream: &'static str,
        /// What the server said.
        reason: String,
    },
    /// A stream exists with a setting that cannot be changed without losing events.
    #[error("the stream {stream} differs from the table and cannot be changed without loss: {differences}")]
    Unsafe {
        /// Which stream.
        stream: &'static str,
        /// Each setting with what is there, what is wanted and what to do.
        differences: String,
    },
    /// The options contradict themselves.
    #[error("the options of the NATS bus: {0}")]
    Options(String),
}

/// The port's error for whatever the client or the server said.
pub(crate) fn unavailable(operation: &'static str, reason: impl Display) -> Error {
    Error::Unavailable { operation, reason: reason.to_string() }
}
