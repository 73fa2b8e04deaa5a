//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kernel::Secret;
use uuid::Uuid;

use crate::config::{self, Mode};

pub mod events;
pub mod sagas;

/// The marketplace of the artisans of Jaén.
#[derive(Debug, Parser)]
#[command(name = "a4co", version, about, arg_required_else_help = false)]
pub struct Cli {
    /// What an operator set: a TOML file (`a4co config` prints one).
    #[arg(long, global = true, env = "A4CO_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where the market is kept [default: data].
    #[arg(long, global = true, env = "A4CO_DATA")]
    pub data: Option<PathBuf>,
    /// What is logged: `info`, or `engine=debug,info` [default: info].
    #[arg(long, global = true, env = "A4CO_LOG")]
    pub log: Option<String>,
    /// Whether this is meant [default: development].
    #[arg(long, global = true, env = "A4CO_MODE", value_enum)]
    pub mode: Option<Mode>,
    /// The same as `--mode production`, and over it.
    #[arg(long, global = true)]
    pub production: bool,
    /// An operator's token for a market that runs; in development one is made.
    #[arg(long, global = true, env = "A4CO_TOKEN", hide_env_values = true, value_parser = secret)]
    pub token: Option<Secret>,
    /// Traces, and how lines look.
    #[command(flatten)]
    pub traces: crate::traces::Options,
    /// What to do; `serve` where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// The command line over what was read.
    pub(crate) fn over(&self, serve: &mut config::Serve) {
        if let Some(data) = &self.data {
            serve.data.clone_from(data);
        }
        if let Some(log) = &self.log {
            serve.log.clone_from(log);
        }
        if let Some(mode) = self.mode {
            serve.mode = mode;
        }
        if self.production {
            serve.mode = Mode::Production;
        }
        if let Some(Command::Serve(options)) = &self.command {
            if let Some(listen) = &options.listen {
                serve.listen.clone_from(listen);
            }
            // A variable that is set and empty says nothing.
            let only: Vec<String> = options.only.iter().filter(|name| !name.is_empty()).cloned().collect();
            if !only.is_empty() {
                serve.only = only;
            }
        }
    }
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the market.
    Serve(Serve),
    /// Drives a mixed day through the public API and checks the account.
    Demo(Demo),
    /// Looks at orders.
    Orders {
        /// What to look at.
        #[command(subcommand)]
        command: Orders,
    },
    /// Proves that nothing was lost or doubled, over the whole store.
    Verify,
    /// Takes in data.
    Import {
        /// What to take in.
        #[command(subcommand)]
        command: Import,
    },
    /// Copies the market into one file, while it runs.
    Backup {
        /// The file to write; it must not exist.
        to: PathBuf,
        /// Copies the keys of persons as well, into a file to be kept apart.
        #[arg(long)]
        keys: Option<PathBuf>,
    },
    /// Puts a back-up into an empty data directory.
    Restore {
        /// The back-up.
        from: PathBuf,
        /// The back-up of the keys of persons.
        #[arg(long)]
        keys: Option<PathBuf>,
    },
    /// Carries a market from its own file over to PostgreSQL; it must not run meanwhile.
    Migrate(Migrate),
    /// Prints the configuration that holds, as a file that can be given back; secrets are hidden.
    Config,
    /// Prints the accounts for a NATS server: a block of its configuration, with passwords that it
    /// reads from its environment (docs/brokers.md).
    NatsConfig(BrokerConfig),
    /// Prints exchanges, queues and accounts for a RabbitMQ server: definitions to import, with
    /// passwords to be filled in (docs/brokers.md).
    RabbitmqConfig(HostConfig),
    /// Makes the keys of a production market.
    NewKeys {
        /// The folder to make; it must not exist.
        folder: PathBuf,
    },
    /// Looks at read models that follow events, and rebuilds them (on a market that runs).
    Projections {
        /// What to do.
        #[command(subcommand)]
        command: Projections,
    },
    /// Issues a token for development.
    Token(Token),
    /// Looks at dead letters and acts on them (on a market that runs).
    Dlq {
        /// What to do.
        #[command(subcommand)]
        command: Dlq,
    },
    /// Looks at sagas and mends those that are stuck (on a market that runs).
    Sagas {
        /// What to do.
        #[command(subcommand)]
        command: sagas::Sagas,
    },
    /// Reads what the services published, in order (on a market that runs).
    Events(events::Events),
    /// Publishes again what a broker lost (on a market that runs).
    Republish(Republish),
    /// Measures.
    Bench {
        /// What to measure.
        #[command(subcommand)]
        command: Bench,
    },
}

/// Options of `serve`.
#[derive(Clone, Debug, Default, Args)]
pub struct Serve {
    /// Where to listen [default: 127.0.0.1:8080].
    #[arg(long, env = "A4CO_LISTEN")]
    pub listen: Option<String>,
    /// Run only these services, `order,payment`; `gateway` runs none and passes requests on to where
    /// [discovery] says the others are [default: all].
    #[arg(long, env = "A4CO_ONLY", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Do not fill an empty market with the demonstration.
    #[arg(long)]
    pub empty: bool,
}

/// Options of `migrate`.
#[derive(Clone, Debug, Args)]
pub struct Migrate {
    /// An empty database, `postgres://USER:PASSWORD@HOST:PORT/DATABASE` [default: engines.postgres].
    #[arg(long, env = "A4CO_MIGRATE_TO", hide_env_values = true, value_parser = secret)]
    pub to: Option<Secret>,
    /// Clear what an unfinished move left there, and begin anew.
    #[arg(long)]
    pub again: bool,
}

/// Options of `nats-config`.
#[derive(Clone, Debug, Default, Args)]
pub struct BrokerConfig {
    /// An account and the services that its process runs, `back=order,payment`, `whole=all`, or
    /// `front=gateway`; as often as there are processes [default: one for each service and a gateway].
    #[arg(long, value_name = "NAME=SERVICES")]
    pub process: Vec<String>,
}

/// Options of `rabbitmq-config`.
#[derive(Clone, Debug, Args)]
pub struct HostConfig {
    /// Whose accounts.
    #[command(flatten)]
    pub of: BrokerConfig,
    /// The virtual host.
    #[arg(long, default_value = "a4co")]
    pub vhost: String,
}

/// Options of `demo`.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// How many orders.
    #[arg(long, default_value_t = 200)]
    pub orders: u64,
    /// How many at a time.
    #[arg(long, default_value_t = 32)]
    pub concurrency: usize,
    /// The same seed gives the same day.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// A market that runs; without it the market of --data is run for the length of the demo.
    #[arg(long, env = "A4CO_URL")]
    pub url: Option<String>,
}

/// What `orders` can do.
#[derive(Debug, Subcommand)]
pub enum Orders {
    /// Shows an order with its saga as a timeline.
    Show {
        /// The order.
        id: Uuid,
    },
}

/// What `import` can do.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Products from a CSV file (docs/import.md says which columns).
    Products {
        /// The file.
        file: PathBuf,
        /// A market that runs; without it the market of --data is opened.
        #[arg(long, env = "A4CO_URL")]
        url: Option<String>,
    },
}

/// Options of `token`.
#[derive(Clone, Debug, Args)]
pub struct Token {
    /// As what.
    #[arg(long, value_enum, default_value_t = TokenRole::Admin)]
    pub role: TokenRole,
    /// Who; a new id where nothing is said.
    #[arg(long)]
    pub id: Option<Uuid>,
    /// For how many hours.
    #[arg(long, default_value_t = 12)]
    pub hours: u64,
}

/// The roles.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TokenRole {
    /// Buys.
    Customer,
    /// Sells.
    Artisan,
    /// Operates.
    Admin,
}

/// Which dead letters.
#[derive(Clone, Debug, Default, Args)]
pub struct DlqFilter {
    /// Of one service.
    #[arg(long)]
    pub service: Option<String>,
    /// Of one consumer: `order-inventory`.
    #[arg(long)]
    pub consumer: Option<String>,
    /// Of events of one type: `order.created.v1`.
    #[arg(long = "type")]
    pub kind: Option<String>,
    /// Of events of one key.
    #[arg(long)]
    pub subject: Option<String>,
    /// Of one kind of error: infrastructure, transient, permanent, undecodable, conflict.
    #[arg(long)]
    pub error_kind: Option<String>,
    /// Moved there at this time or later (RFC 3339).
    #[arg(long)]
    pub from: Option<String>,
    /// Moved there before this time.
    #[arg(long)]
    pub to: Option<String>,
    /// How many are shown.
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
}

/// What `dlq` can do.
#[derive(Debug, Subcommand)]
pub enum Dlq {
    /// Lists dead letters, the oldest first.
    List {
        /// Which.
        #[command(flatten)]
        filter: DlqFilter,
        /// A market that runs.
        #[arg(long, env = "A4CO_URL", default_value = "http://127.0.0.1:8080")]
        url: String,
    },
    /// Shows one: the event, what went wrong, what waits behind it.
    Show {
        /// The dead letter, as it is listed.
        id: String,
        /// A market that runs.
        #[arg(long, env = "A4CO_URL", default_value = "http://127.0.0.1:8080")]
        url: String,
    },
    /// Puts one, or all that are wanted, back at the head of their keys.
    Retry {
        /// The dead letter, as it is listed.
        id: Option<String>,
        /// All that are wanted, some at a time, until the first few fail again.
        #[arg(long, conflicts_with = "id")]
        all: bool,
        /// Only say what it would do.
        #[arg(long)]
        dry_run: bool,
        /// Which.
        #[command(flatten)]
        filter: DlqFilter,
        /// A market that runs.
        #[arg(long, env = "A4CO_URL", default_value = "http://127.0.0.1:8080")]
        url: String,
    },
    /// Gives one up for good.
    Discard {
        /// The dead letter, as it is listed.
        id: String,
        /// Why it must never take effect.
        #[arg(long)]
        reason: String,
        /// A market that runs.
        #[arg(long, env = "A4CO_URL", default_value = "http://127.0.0.1:8080")]
        url: String,
    },
}

impl Dlq {
    /// The market that runs.
    pub(crate) fn url(&self) -> &str {
        let (Dlq::List { url, .. }
        | Dlq::Show { url, .. }
        | Dlq::Retry { url, .. }
        | Dlq::Discard { url, .. }) = self;
        url
    }
}

/// Options of `republish`.
#[derive(Clone, Debug, Args)]
pub struct Republish {
    /// A time (RFC 3339), or a position of the service's journal; 0 is everything.
    #[arg(long)]
    pub from: String,
    /// Of one service; of all without it.
    #[arg(long)]
    pub service: Option<String>,
    /// A market that runs.
    #[arg(long, env = "A4CO_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
}

/// What `projections` can do.
#[derive(Debug, Subcommand)]
pub enum Projections {
    /// Lists them with how far they are.
    List {
        /// A market that runs; without it the market of --data is opened.
        #[arg(long, env = "A4CO_URL")]
        url: Option<String>,
    },
    /// Folds all of a projection's facts again, aside, compares the result with what serves, and puts
    /// it in its place where both are the same. What served before is kept until the next rebuild.
    Rebuild {
        /// The projection.
        name: String,
        /// Its service, where several have one of this name.
        #[arg(long)]
        service: Option<String>,
        /// Put it in its place whatever the comparison finds.
        #[arg(long, conflicts_with = "compare_only")]
        accept: bool,
        /// Only compare.
        #[arg(long)]
        compare_only: bool,
        /// A market that runs; without it the market of --data is opened.
        #[arg(long, env = "A4CO_URL")]
        url: Option<String>,
    },
    /// Swaps back what a projection was before its last rebuild; it was kept up since.
    Rollback {
        /// The projection.
        name: String,
        /// Its service, where several have one of this name.
        #[arg(long)]
        service: Option<String>,
        /// A market that runs; without it the market of --data is opened.
        #[arg(long, env = "A4CO_URL")]
        url: Option<String>,
    },
}

/// What `bench` can do.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Complete fulfilment sagas through HTTP.
    Orders {
        /// How many seconds for each number of clients.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Write the figures here as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Commits of one event, one document and one checkpoint.
    Journal {
        /// For how many seconds.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Write the figures here as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
    },
}
