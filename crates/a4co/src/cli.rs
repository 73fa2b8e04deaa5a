//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use uuid::Uuid;

/// The marketplace of the artisans of Jaén.
#[derive(Debug, Parser)]
#[command(name = "a4co", version, about, arg_required_else_help = false)]
pub struct Cli {
    /// Where the market is kept.
    #[arg(long, global = true, env = "A4CO_DATA", default_value = "data")]
    pub data: PathBuf,
    /// What is logged: `info`, or `engine=debug,info`.
    #[arg(long, global = true, env = "A4CO_LOG", default_value = "info")]
    pub log: String,
    /// What to do; `serve` where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
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
    },
    /// Issues a token for development.
    Token(Token),
    /// Looks at dead letters and acts on them (on a market that runs).
    Dlq {
        /// What to do.
        #[command(subcommand)]
        command: Dlq,
    },
    /// Measures.
    Bench {
        /// What to measure.
        #[command(subcommand)]
        command: Bench,
    },
}

/// Options of `serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Where to listen.
    #[arg(long, env = "A4CO_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Do not fill an empty market with the demonstration.
    #[arg(long)]
    pub empty: bool,
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

/// What `dlq` can do.
#[derive(Debug, Subcommand)]
pub enum Dlq {
    /// Lists a service's dead letters.
    List {
        /// The service.
        service: String,
        /// A market that runs.
        #[arg(long, env = "A4CO_URL", default_value = "http://127.0.0.1:8080")]
        url: String,
    },
    /// Puts one back at the head of its key.
    Retry {
        /// The service.
        service: String,
        /// The dead letter.
        id: String,
        /// A market that runs.
        #[arg(long, env = "A4CO_URL", default_value = "http://127.0.0.1:8080")]
        url: String,
    },
    /// Gives one up for good.
    Discard {
        /// The service.
        service: String,
        /// The dead letter.
        id: String,
        /// A market that runs.
        #[arg(long, env = "A4CO_URL", default_value = "http://127.0.0.1:8080")]
        url: String,
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
