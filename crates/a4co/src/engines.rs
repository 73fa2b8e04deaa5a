//! Which engines a market stands on, as an operator set it: one SQLite file that keeps state and
//! carries events, or PostgreSQL and NATS for more than one process.

use std::sync::Arc;

use adapter_sqlite::{SqliteKeyRing, Store};
use anyhow::bail;
use backbone::bus::Bus;
use backbone::journal::Storage;
use backbone::keyring::KeyRing;
use kernel::Secret;

use crate::config::{self, Settings};
use crate::market::{EMAIL_KEY, GATEWAY, Written};
use crate::production::{self, Given};

mod servers;

/// What stands in the data directory beside the store.
const NEIGHBOURS: &[&str] = &[EMAIL_KEY, GATEWAY, production::MARK];

/// Engines that are open.
pub(crate) struct Engines {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) keyring: Arc<dyn KeyRing>,
    /// The last run ended without a word. On servers each consumer finds that out for itself.
    pub(crate) crashed: bool,
    pub(crate) written: Written,
    pub(crate) keys: Given,
    /// The embedded store, to be closed in the end.
    pub(crate) embedded: Option<Store>,
}

/// The servers of a configuration.
pub(crate) struct Servers<'s> {
    postgres: &'s Secret,
    nats: &'s str,
    partitions: u32,
}

impl<'s> Servers<'s> {
    /// Those that are set; nothing where the market stands on its own file.
    pub(crate) fn of(settings: &'s Settings) -> anyhow::Result<Option<Self>> {
        let config::Engines { postgres, nats, partitions } = &settings.engines;
        match (postgres, nats) {
            (None, None) => Ok(None),
            (Some(postgres), Some(nats)) => Ok(Some(Self { postgres, nats, partitions: *partitions })),
            (Some(_), None) => {
                bail!("engines.postgres keeps state and carries no events: set engines.nats as well")
            }
            (None, Some(_)) => {
                bail!("engines.nats carries events and keeps no state: set engines.postgres as well")
            }
        }
    }
}

/// Opens what is set.
pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Engines> {
    match Servers::of(settings)? {
        Some(servers) => servers::open(settings, &servers).await,
        None => embedded(settings),
    }
}

/// Where state is kept, to look at it beside a market that runs.
pub(crate) async fn open_to_read(settings: &Settings) -> anyhow::Result<Arc<dyn Storage>> {
    match Servers::of(settings)? {
        Some(servers) => servers::storage(&servers).await,
        None => Ok(Store::open_read_only(&settings.serve.data)?.storage()),
    }
}

fn embedded(settings: &Settings) -> anyhow::Result<Engines> {
    let directory = settings.serve.data.as_path();
    let neighbours = NEIGHBOURS.iter().map(|name| (*name).to_owned()).collect();
    let options = adapter_sqlite::Options { neighbours, ..adapter_sqlite::Options::default() };
    let store = Store::open(directory, options)?;
    let mut keys = production::keys(settings)?;
    let previous = std::mem::take(&mut keys.previous);
    let keyring = SqliteKeyRing::open_with_previous(directory, keys.master.clone(), previous)?;
    let counted = store.clone();
    Ok(Engines {
        storage: store.storage(),
        bus: store.bus(),
        keyring: Arc::new(keyring),
        crashed: !store.was_clean_shutdown(),
        written: Arc::new(move || {
            let stats = counted.stats();
            (stats.commits, stats.syncs)
        }),
        keys,
        embedded: Some(store),
    })
}
