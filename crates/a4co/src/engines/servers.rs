//! PostgreSQL, with a broker beside it.

#[cfg(feature = "postgres")]
pub(crate) use built_in::{open, storage};
#[cfg(not(feature = "postgres"))]
pub(crate) use left_out::{open, storage};

#[cfg(not(feature = "postgres"))]
mod left_out {
    use std::sync::Arc;

    use anyhow::bail;
    use backbone::journal::Storage;

    use super::super::{Engines, Servers};
    use crate::config::Settings;

    const LEFT_OUT: &str = "engines.postgres is set, and this program was built without it: build it with --features \
                            postgres, or remove it from the configuration";

    #[allow(clippy::unused_async, reason = "the same as where they are built in")]
    pub(crate) async fn open(_: &Settings, _: &Servers<'_>) -> anyhow::Result<Engines> {
        bail!(LEFT_OUT)
    }

    #[allow(clippy::unused_async, reason = "the same as where they are built in")]
    pub(crate) async fn storage(_: &Servers<'_>) -> anyhow::Result<Arc<dyn Storage>> {
        bail!(LEFT_OUT)
    }
}

#[cfg(feature = "postgres")]
mod built_in {
    use std::sync::Arc;

    use adapter_postgres::{PostgresKeyRing, PostgresStorage, Wrapping};
    use adapter_sqlite::{MasterKey, new_data_key};
    use anyhow::Context as _;
    use backbone::journal::Storage;
    use uuid::Uuid;

    use super::super::{Engines, Servers, broker};
    use crate::config::Settings;
    use crate::production;

    /// The master key of this process, as the shared key ring needs it.
    struct Master(MasterKey);

    impl Wrapping for Master {
        fn id(&self) -> &str {
            self.0.id()
        }

        fn new_data_key(&self) -> Option<[u8; 32]> {
            new_data_key()
        }

        fn wrap(&self, person: Uuid, data_key: &[u8; 32]) -> Option<Vec<u8>> {
            self.0.wrap(person, data_key)
        }

        fn unwrap(&self, person: Uuid, wrapped: &[u8]) -> Option<[u8; 32]> {
            self.0.unwrap(person, wrapped)
        }
    }

    async fn connect(servers: &Servers<'_>) -> anyhow::Result<PostgresStorage> {
        let options = adapter_postgres::Options::default();
        PostgresStorage::open(servers.postgres.reveal(), options).await.context("engines.postgres")
    }

    /// Where state is kept, to look at it.
    pub(crate) async fn storage(servers: &Servers<'_>) -> anyhow::Result<Arc<dyn Storage>> {
        Ok(Arc::new(connect(servers).await?))
    }

    pub(crate) async fn open(settings: &Settings, servers: &Servers<'_>) -> anyhow::Result<Engines> {
        let directory = &settings.serve.data;
        std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
        let mut keys = production::keys(settings)?;
        let address = servers.postgres.reveal();
        let storage = connect(servers).await?;
        let previous = std::mem::take(&mut keys.previous);
        let previous = previous.into_iter().map(|key| Arc::new(Master(key)) as Arc<dyn Wrapping>);
        let master = Arc::new(Master(keys.master.clone()));
        let keyring = PostgresKeyRing::open(address, master, previous.collect()).await?;
        let bus = broker::open(settings, servers).await?;
        let counted = storage.clone();
        Ok(Engines {
            storage: Arc::new(storage),
            bus,
            keyring: Arc::new(keyring),
            crashed: false,
            written: Arc::new(move || {
                let stats = counted.stats();
                (stats.commits, stats.transactions)
            }),
            keys,
            embedded: None,
        })
    }
}
