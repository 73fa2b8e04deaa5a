//! `a4co migrate`: carries a market from its own file over to PostgreSQL, where it goes on with a
//! broker. The file is only read. What not everybody has taken in by then is left to the relays;
//! what somebody has taken in is claimed in their inbox, so that nothing takes effect twice.

use std::fmt;
use std::time::Duration;

use indicatif::ProgressBar;
use kernel::Secret;

use crate::config::Settings;
use crate::verify::Report;

#[cfg(feature = "postgres")]
mod carry;
#[cfg(feature = "postgres")]
mod compare;
#[cfg(feature = "postgres")]
mod known;
#[cfg(feature = "postgres")]
mod moving;
#[cfg(feature = "postgres")]
mod plan;

/// Where a market goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// A PostgreSQL database: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub postgres: Secret,
    /// Clear what an unfinished move left there.
    pub again: bool,
}

/// A market that moved.
#[derive(Debug)]
pub struct Moved {
    /// What `verify` says of where it was.
    pub source: Report,
    /// What it says of where it is.
    pub target: Report,
    /// How many rows were written, what inboxes claim included.
    pub rows: u64,
    /// How many keys of persons.
    pub keys: u64,
    /// How long writing them took.
    pub took: Duration,
    /// How many public events are published once it starts: somebody has not taken them in.
    pub waiting: u64,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.source.violations {
            writeln!(f, "{violation}")?;
        }
        writeln!(f, "source: {}", self.source.line())?;
        writeln!(f, "target: {}", self.target.line())?;
        let Self { rows, keys, waiting, took, .. } = self;
        let per_second = *rows as f64 / took.as_secs_f64().max(0.001);
        writeln!(
            f,
            "moved {rows} rows and {keys} keys of persons in {:.1} s ({per_second:.0} rows/s); {waiting} public events \
             have not been taken in by everybody and go to the broker first",
            took.as_secs_f64()
        )
    }
}

/// Moves the market in the data directory of `settings`; a difference is an error.
pub async fn run(settings: &Settings, target: &Target, bar: &ProgressBar) -> anyhow::Result<Moved> {
    #[cfg(feature = "postgres")]
    return moving::run(settings, target, bar).await;
    #[cfg(not(feature = "postgres"))]
    {
        let _ = (settings, target, bar);
        anyhow::bail!(
            "this program was built without PostgreSQL and cannot move a market there: build it with --features postgres"
        )
    }
}

/// What an operator does next.
pub fn next(settings: &Settings) -> String {
    let data = crate::market::shown(&settings.serve.data);
    format!(
        "Now:\n  \
         1. move a4co.db* and keys.db* out of {}, so that nobody starts the market there again; the other files stay: \
         keys and the sandbox's memory are the market's on servers too\n  \
         2. set engines.postgres and an empty broker (docs/moving.md)\n  \
         3. start it, and run `a4co verify`\n",
        data.display()
    )
}
