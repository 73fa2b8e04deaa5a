//! Which engines a market stands on, as an operator set it: one SQLite file that keeps state and
//! carries events, or PostgreSQL with NATS or RabbitMQ for more than one process.

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
use broker::Broker;

mod broker;
#[cfg(any(feature = "nats", feature = "rabbitmq", feature = "redis"))]
mod files;
#[cfg(feature = "nats")]
mod nats;
mod servers;
pub(crate) mod shared;

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
    broker: Broker<'s>,
    partitions: u32,
}

impl<'s> Servers<'s> {
    /// Those that are set; nothing where the market stands on its own file.
    pub(crate) fn of(settings: &'s Settings) -> anyhow::Result<Option<Self>> {
        let config::Engines { postgres, nats, rabbitmq, partitions, .. } = &settings.engines;
        let broker = match (nats, rabbitmq) {
            (None, None) => None,
            (Some(nats), None) => Some(("nats", Broker::Nats(nats))),
            (None, Some(rabbitmq)) => Some(("rabbitmq", Broker::Rabbit(rabbitmq))),
            (Some(_), Some(_)) => {
                bail!("engines.nats and engines.rabbitmq both carry events: leave one of the two")
            }
        };
        match (postgres, broker) {
            (None, None) => Ok(None),
            (Some(postgres), Some((_, broker))) => {
                Ok(Some(Self { postgres, broker, partitions: *partitions }))
            }
            (Some(_), None) => bail!(
                "engines.postgres keeps state and carries no events: set engines.nats or engines.rabbitmq as well"
            ),
            (None, Some((name, _))) => {
                bail!("engines.{name} carries events and keeps no state: set engines.postgres as well")
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of engines that are set so.
    fn said(postgres: bool, nats: bool, rabbitmq: bool) -> String {
        let engines = config::Engines {
            postgres: postgres.then(|| Secret::new("postgres://a")),
            nats: nats.then(|| "nats://a".to_owned()),
            rabbitmq: rabbitmq.then(|| Secret::new("amqp://a")),
            ..config::Engines::default()
        };
        let settings = Settings { engines, ..Settings::default() };
        match Servers::of(&settings) {
            Ok(found) => if found.is_some() { "servers" } else { "embedded" }.to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn state_and_one_broker_go_together() {
        assert_eq!(said(false, false, false), "embedded");
        assert_eq!((said(true, true, false), said(true, false, true)), ("servers".into(), "servers".into()));
        assert!(said(true, false, false).contains("set engines.nats or engines.rabbitmq"));
        assert!(said(false, true, false).contains("engines.nats carries events and keeps no state"));
        assert!(said(false, false, true).contains("engines.rabbitmq carries events and keeps no state"));
        for postgres in [true, false] {
            assert!(said(postgres, true, true).contains("leave one of the two"));
        }
    }
}
