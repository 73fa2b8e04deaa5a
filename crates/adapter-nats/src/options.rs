//! What the composition says about the broker.

use std::path::PathBuf;

use kernel::{Duration, Secret};

use crate::error::StartError;
use crate::table::{StreamSpec, product_table};

/// How this process shows who it is.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// Not at all.
    #[default]
    None,
    /// By a name and a password.
    User {
        /// The account's user.
        name: String,
        /// Its password.
        password: Secret,
    },
    /// By the seed of an nkey (`SU…`).
    NKey(Secret),
    /// By a file with a JWT and its seed (`.creds`).
    File(PathBuf),
}

/// Encryption of the connection. Where no authority is named, the machine's are trusted.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// A server that offers no TLS is refused.
    pub is_required: bool,
    /// The handshake comes before the server's greeting.
    pub first: bool,
    /// The one certificate authority that is trusted, PEM.
    pub authority: Option<PathBuf>,
    /// Our certificate and its key, PEM, for a server that asks for them.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Where the broker is and how it is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// `nats://host:4222`; of several, one is used and the others when it goes away.
    pub servers: Vec<String>,
    /// What the server's monitoring calls this connection.
    pub name: String,
    /// Who we are.
    pub credentials: Credentials,
    /// Under whose name answers come, where the credentials carry no name: `accounts` lets each user
    /// hear its own alone.
    pub user: Option<String>,
    /// Encryption.
    pub tls: Tls,
    /// Which context has which stream; the dead letters' one among them.
    pub streams: Vec<StreamSpec>,
    /// The services that run here: their streams are changed where they differ from the table and
    /// that is safe; those of others are looked at. `None` is all.
    pub services: Option<Vec<String>>,
    /// Over how many readers the subjects of a context are spread.
    pub partitions: u32,
    /// After how long the broker delivers again what was neither acknowledged nor kept alive.
    pub ack_wait: Duration,
    /// The most deliveries of one consumer that may wait for their acknowledgement.
    pub in_flight_max: u32,
    /// The services whose new consumers begin with what comes next; the others begin at the
    /// beginning of the stream.
    pub from_now: Vec<String>,
    /// How long the broker may take to answer.
    pub answer_time_max: Duration,
    /// Whether the server syncs every write before it acknowledges (`sync_interval: always`, from
    /// 2.10 on). Clients cannot see it; unsaid, streams that ask for it bring a warning.
    pub server_syncs_always: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            servers: vec!["nats://127.0.0.1:4222".to_owned()],
            name: "a4co".to_owned(),
            credentials: Credentials::None,
            user: None,
            tls: Tls::default(),
            streams: product_table(),
            services: None,
            partitions: 1,
            ack_wait: Duration::from_secs(30),
            in_flight_max: 1_600,
            from_now: vec!["notification".to_owned()],
            answer_time_max: Duration::from_secs(5),
            server_syncs_always: false,
        }
    }
}

impl Options {
    /// Refuses what cannot work, by name.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let wrong = |what: &str| Err(StartError::Options(what.to_owned()));
        if self.servers.is_empty() {
            return wrong("`servers` is empty");
        }
        if self.servers.iter().any(|server| server.contains('@')) {
            return wrong(
                "`servers` carry a user, which the client would leave unused: say who we are as `credentials`",
            );
        }
        if let Credentials::NKey(seed) = &self.credentials
            && !is_user_seed(seed.reveal())
        {
            return wrong("the nkey is not the seed of a user: it begins with SU and is of 58 characters");
        }
        if self.partitions == 0 {
            return wrong("`partitions` is 0: one is the least");
        }
        if self.ack_wait < Duration::from_secs(1) {
            return wrong("`ack_wait` is below one second, which slow commits pass");
        }
        if self.in_flight_max == 0 {
            return wrong("`in_flight_max` is 0: nothing would ever be delivered");
        }
        if self.stream_of(DEAD_LETTERS).is_none() {
            return wrong("the table has no stream for `dlq`: unreadable messages would have no place");
        }
        for (index, spec) in self.streams.iter().enumerate() {
            let twice = |other: &StreamSpec| other.name == spec.name || other.context == spec.context;
            if self.streams[..index].iter().any(twice) {
                return wrong(&format!("the table names {} or its context twice", spec.name));
            }
        }
        Ok(())
    }

    /// Whether a difference of a stream is settled here, as `accounts` allows it.
    pub(crate) fn may_change(&self, spec: &StreamSpec) -> bool {
        self.services.as_ref().is_none_or(|services| {
            let is_own = services.iter().any(|service| service == spec.context);
            is_own || spec.context == DEAD_LETTERS && !services.is_empty()
        })
    }

    /// Whether a stream of the table takes this type of event.
    pub(crate) fn carries(&self, kind: &str) -> bool {
        kind.split('.').next().is_some_and(|context| self.stream_of(context).is_some())
    }

    /// The stream that carries a context.
    pub(crate) fn stream_of(&self, context: &str) -> Option<&StreamSpec> {
        self.streams.iter().find(|spec| spec.context == context)
    }
}

/// The seed signs, and is a user's: an account's or an operator's is not for a client.
fn is_user_seed(seed: &str) -> bool {
    seed.starts_with("SU") && nkeys::KeyPair::from_seed(seed).is_ok()
}

/// The context of the dead letters.
pub(crate) const DEAD_LETTERS: &str = "dlq";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_cannot_work_are_refused_by_name() {
        let refused = |options: Options| options.check().map_err(|error| error.to_string()).unwrap_err();
        assert!(Options::default().check().is_ok());
        assert!(refused(Options { partitions: 0, ..Options::default() }).contains("partitions"));
        assert!(refused(Options { in_flight_max: 0, ..Options::default() }).contains("in_flight_max"));
        assert!(refused(Options { servers: Vec::new(), ..Options::default() }).contains("servers"));
        let servers = vec!["nats://ana:pssst@one:4222".to_owned()];
        let said = refused(Options { servers, ..Options::default() });
        assert!(said.contains("credentials") && !said.contains("pssst"), "{said}");
        assert!(refused(Options { streams: Vec::new(), ..Options::default() }).contains("dlq"));
        let operator = nkeys::KeyPair::new_operator().seed().expect("a new pair has its seed");
        for seed in ["SUAB", "", &operator] {
            let credentials = Credentials::NKey(Secret::new(seed));
            let said = refused(Options { credentials, ..Options::default() });
            assert!(said.contains("seed of a user") && !said.contains(&operator), "{said}");
        }
        let mut twice = product_table();
        twice.push(StreamSpec { name: "MORE", ..twice[0].clone() });
        assert!(refused(Options { streams: twice, ..Options::default() }).contains("MORE"));
    }
}
