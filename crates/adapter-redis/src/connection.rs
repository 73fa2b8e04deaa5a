//! The connection: one for all commands, made again when it is lost.

use backbone::ephemeral::Error;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisError, ScriptInvocation};

use crate::options::{Options, StartError};

/// How many commands may be on their way before the next one waits.
const COMMANDS_IN_FLIGHT: usize = 4_096;

/// What every port asks through.
#[derive(Clone)]
pub(crate) struct Link(ConnectionManager);

/// The server of these options, not yet asked anything.
pub(crate) fn client(options: &Options) -> Result<Client, StartError> {
    let address = options.address.reveal();
    let understood = |made: redis::RedisResult<Client>| {
        // The whole error would repeat the address, with its password.
        made.map_err(|error| StartError::Address(error.category().to_owned()))
    };
    if !address.starts_with("rediss://") {
        return understood(Client::open(address));
    }
    #[cfg(not(feature = "tls"))]
    return Err(StartError::NoTls);
    #[cfg(feature = "tls")]
    {
        let read = |path: &std::path::PathBuf| std::fs::read(path).map_err(StartError::Certificates);
        let root_cert = options.authority.as_ref().map(read).transpose()?;
        let client_tls = match &options.identity {
            None => None,
            Some((certificate, key)) => {
                Some(redis::ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
            }
        };
        understood(Client::build_with_tls(address, redis::TlsCertificates { client_tls, root_cert }))
    }
}

impl Link {
    /// Connects, and again whenever the connection is lost and something is asked.
    pub(crate) async fn open(client: Client, options: &Options) -> Result<Self, StartError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(options.connection_time_max))
            .set_response_timeout(Some(options.answer_time_max))
            .set_pipeline_buffer_size(COMMANDS_IN_FLIGHT)
            // Whoever asks is told at once that nobody is there; the next one to ask tries again.
            .set_number_of_retries(0);
        let connected = client.get_connection_manager_with_config(config).await;
        connected.map(Self).map_err(|error| StartError::Connect {
            place: without_secrets(options.address.reveal()),
            reason: error.to_string(),
        })
    }

    /// Asks one command.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        operation: &'static str,
        command: &Cmd,
    ) -> Result<T, Error> {
        let mut connection = self.0.clone();
        match command.query_async(&mut connection).await {
            Err(error) if was_not_asked(&error) => command.query_async(&mut connection).await,
            answered => answered,
        }
        .map_err(|error| unavailable(operation, &error))
    }

    /// Runs a script.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        operation: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Error> {
        let mut connection = self.0.clone();
        match script.invoke_async(&mut connection).await {
            Err(error) if was_not_asked(&error) => script.invoke_async(&mut connection).await,
            answered => answered,
        }
        .map_err(|error| unavailable(operation, &error))
    }
}

/// The connection could not be made, so nothing was done: the attempt that failed may be an old one,
/// and the server back since.
fn was_not_asked(error: &RedisError) -> bool {
    error.is_connection_refusal()
}

fn unavailable(operation: &'static str, error: &RedisError) -> Error {
    Error { operation, reason: error.to_string() }
}

/// An address may carry a password before its `@`.
fn without_secrets(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((_, place)) => format!("***@{place}"),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use kernel::Secret;

    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(without_secrets("redis://ana:pssst@one:6379/2"), "***@one:6379/2");
        assert_eq!(without_secrets("redis://two:6379"), "redis://two:6379");
        let wrong = client(&Options::at(Secret::new("http://ana:pssst@one"))).unwrap_err().to_string();
        assert!(wrong.contains("write redis://HOST:PORT") && !wrong.contains("pssst"), "{wrong}");
    }
}
