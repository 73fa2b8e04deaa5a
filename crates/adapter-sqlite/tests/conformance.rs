//! The promises of the ports, shown on SQLite.

use std::sync::Arc;

use adapter_sqlite::{MasterKey, Options, SqliteKeyRing, Store};
use async_trait::async_trait;
use conformance::{Fixture, Ports, bus_scenarios, journal_scenarios, keyring_scenarios, prove};
use tempfile::TempDir;

struct Directory(TempDir);

fn fixture() -> Box<dyn Fixture> {
    Box::new(Directory(tempfile::tempdir().expect("a temporary directory can be made")))
}

#[async_trait]
impl Fixture for Directory {
    async fn start(&self) -> Result<Ports, String> {
        let directory = self.0.path();
        let store = Store::open(directory, Options::default()).map_err(|e| e.to_string())?;
        let master = MasterKey::for_development(directory).map_err(|e| e.to_string())?;
        let keyring = SqliteKeyRing::open(directory, master).map_err(|e| e.to_string())?;
        Ok(Ports { storage: store.storage(), bus: store.bus(), keyring: Arc::new(keyring) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_keeps_its_promises() {
    prove(journal_scenarios(), fixture).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_keeps_its_promises() {
    prove(bus_scenarios(), fixture).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_ring_keeps_its_promises() {
    prove(keyring_scenarios(), fixture).await;
}
