//! `cargo xtask fleet` and `cargo xtask faults`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, Parser, Subcommand};
use fleet::fault::Plan;
use fleet::fleet::Options;
use fleet::load::Load;
use fleet::run::{self, Faults};
use fleet::servers::Bus;

/// The market as many processes on real servers that are started for it.
#[derive(Debug, Parser)]
#[command(name = "fleet")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the market until it is told to stop, or for a demonstration.
    Up {
        #[command(flatten)]
        fleet: Shape,
        /// Plays a demonstration of so many orders, checks everything, and ends.
        #[arg(long)]
        orders: Option<u64>,
    },
    /// Breaks the market under load and compares what was promised with what is stored.
    Faults {
        #[command(flatten)]
        fleet: Shape,
        /// For how long things are broken.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// The same seed gives the same schedule.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many customers buy at a time.
        #[arg(long, default_value_t = 6)]
        customers: u64,
        /// The broker loses its storage as well, once, in the middle.
        #[arg(long)]
        wipe: bool,
    },
}

#[derive(Debug, Args)]
struct Shape {
    /// What carries the events.
    #[arg(long, value_enum, default_value_t = Bus::Nats)]
    bus: Bus,
    /// How many processes run order, inventory and payment.
    #[arg(long)]
    replicas: Option<u32>,
    /// Over how many readers the subjects of a context are spread.
    #[arg(long, default_value_t = 1)]
    partitions: u32,
    /// The product's program; without it the one beside this one.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Keeps configurations and logs in this folder, which must be empty or not there.
    #[arg(long)]
    keep: Option<PathBuf>,
}

impl Shape {
    fn options(&self, replicas: u32, directory: PathBuf) -> anyhow::Result<Options> {
        Ok(Options {
            program: self.program.clone().map_or_else(run::program, Ok)?,
            bus: self.bus,
            replicas: self.replicas.unwrap_or(replicas),
            partitions: self.partitions,
            breakable: false,
            directory,
        })
    }

    /// Where configurations and logs go; what is not kept goes with the guard.
    fn folder(&self) -> anyhow::Result<(PathBuf, Option<tempfile::TempDir>)> {
        let Some(folder) = &self.keep else {
            let folder = tempfile::Builder::new().prefix("a4co-fleet-").tempdir()?;
            return Ok((folder.path().to_owned(), Some(folder)));
        };
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let is_empty = std::fs::read_dir(folder)?.next().is_none();
        ensure!(is_empty, "{} is not empty: a fleet starts anew", folder.display());
        Ok((std::path::absolute(folder)?, None))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let is_good = match Cli::parse().command {
        Command::Up { fleet, orders } => {
            let (directory, _guard) = fleet.folder()?;
            let options = fleet.options(1, directory)?;
            match orders {
                Some(orders) => run::demonstrate(&options, orders).await?,
                None => run::keep_up(&options).await.map(|()| true)?,
            }
        }
        Command::Faults { fleet, minutes, seed, customers, wipe } => {
            let (directory, guard) = fleet.folder()?;
            let options = Options { breakable: true, ..fleet.options(2, directory)? };
            let length = Duration::from_secs(minutes * 60);
            let members = fleet::fleet::names(options.replicas).len();
            let faults = Plan { seed, length, members, wipes: wipe }.faults();
            let load = Load { seed, customers };
            let outcome = Faults { fleet: options, faults, length, load }.run().await?;
            println!("{outcome}");
            if let Some(guard) = guard.filter(|_| !outcome.is_good()) {
                println!("what the processes said is kept in {}", guard.keep().display());
            }
            outcome.is_good()
        }
    };
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
