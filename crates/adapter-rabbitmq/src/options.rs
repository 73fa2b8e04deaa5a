//! What the composition says about the broker.

use std::collections::BTreeSet;
use std::path::PathBuf;

use kernel::{Duration, Secret};

use crate::error::StartError;

/// Encryption of the connection, where the address begins with `amqps`. The machine's certificate
/// authorities are trusted in any case.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// One more certificate authority, PEM.
    pub authority: Option<PathBuf>,
    /// Our certificate and its key, PEM, for a server that asks for them.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Where the broker is and how it is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// `amqp://USER:PASSWORD@HOST:PORT/VHOST`, or `amqps`.
    pub address: Secret,
    /// What the server calls this connection.
    pub name: String,
    /// Encryption.
    pub tls: Tls,
    /// Which services read which contexts, `(service, context)`, in the whole deployment: also those
    /// that run in other processes. Their queues are declared before anything is published, and an
    /// event of such a context that no queue takes is an error.
    pub consumers: BTreeSet<(String, String)>,
    /// Over how many queues the subjects of a context are spread; the same in every process.
    pub partitions: u32,
    /// The most deliveries of one consumer that may wait for their acknowledgement.
    pub in_flight_max: u16,
    /// How often the broker delivers a message before it moves it to the dead letters: a net, far
    /// above our own retries, since a consumer that is opened again counts here as well.
    pub deliveries_max: u16,
    /// How long the broker may take to answer.
    pub answer_time_max: Duration,
    /// A silent connection is noticed after two of these.
    pub heartbeat: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: Secret::new("amqp://guest:guest@127.0.0.1:5672/%2f".to_owned()),
            name: "a4co".to_owned(),
            tls: Tls::default(),
            consumers: BTreeSet::new(),
            partitions: 1,
            in_flight_max: 1_600,
            deliveries_max: 100,
            answer_time_max: Duration::from_secs(5),
            heartbeat: Duration::from_secs(10),
        }
    }
}

impl Options {
    /// Refuses what cannot work, by name.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let wrong = |what: String| Err(StartError::Options(what));
        if self.partitions == 0 {
            return wrong("`partitions` is 0: one is the least".to_owned());
        }
        if self.in_flight_max == 0 {
            return wrong("`in_flight_max` is 0, which RabbitMQ takes for no limit".to_owned());
        }
        if self.deliveries_max < 20 {
            return wrong("`deliveries_max` is below 20, which our own retries reach".to_owned());
        }
        if self.heartbeat < Duration::from_secs(1) {
            return wrong("`heartbeat` is below one second".to_owned());
        }
        for name in self.consumers.iter().flat_map(|(service, context)| [service, context]) {
            if !is_word(name) {
                return wrong(format!("`consumers` names {name:?}, which is no name of a service"));
            }
        }
        Ok(())
    }

    /// Whether some service of the deployment reads this context.
    pub(crate) fn is_read(&self, context: &str) -> bool {
        self.consumers.iter().any(|(_, read)| read == context)
    }
}

/// One word of a routing key or a queue's name.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_cannot_work_are_refused_by_name() {
        let refused = |options: Options| options.check().map_err(|error| error.to_string()).unwrap_err();
        assert!(Options::default().check().is_ok());
        assert!(refused(Options { partitions: 0, ..Options::default() }).contains("partitions"));
        assert!(refused(Options { in_flight_max: 0, ..Options::default() }).contains("in_flight_max"));
        assert!(refused(Options { deliveries_max: 4, ..Options::default() }).contains("deliveries_max"));
        let consumers = BTreeSet::from([("order".to_owned(), "pay#".to_owned())]);
        assert!(refused(Options { consumers, ..Options::default() }).contains("pay#"));
    }

    #[test]
    fn the_address_is_not_shown() {
        assert!(!format!("{:?}", Options::default()).contains("guest"));
    }
}
