//! The common promises.

use std::sync::Arc;

use adapter_postgres::{Options, PostgresStorage};
use async_trait::async_trait;
use backbone::bus::{Backlog, Bus, Capabilities, Consumer, Error, Subscription};
use conformance::{
    Fixture, Ports, World, journal_scenarios, keyring_scenarios, prove, random_commits_agree_with_the_model,
};
use kernel::Envelope;

use crate::keys::keyring;
use crate::server::server;

struct Database(String);

/// No scenario of the journal needs a bus that does not publish in the commit.
struct Elsewhere;

fn elsewhere() -> Error {
    Error::Unavailable { operation: "using the bus", reason: "it is not part of this test".to_owned() }
}

#[async_trait]
impl Bus for Elsewhere {
    fn capabilities(&self) -> Capabilities {
        Capabilities { publishes_in_commit: false, reads_by_position: false, partitions: 1 }
    }

    async fn publish(&self, _: Vec<Envelope>) -> Result<(), Error> {
        Err(elsewhere())
    }

    async fn open(&self, _: Subscription) -> Result<Box<dyn Consumer>, Error> {
        Err(elsewhere())
    }

    async fn backlog(&self, _: &Subscription) -> Result<Backlog, Error> {
        Err(elsewhere())
    }
}

#[async_trait]
impl Fixture for Database {
    async fn start(&self) -> Result<Ports, String> {
        let storage = PostgresStorage::open(&self.0, Options::default()).await.map_err(|e| e.to_string())?;
        let keyring = keyring(&self.0, 7, &[]).await.map_err(|e| e.to_string())?;
        Ok(Ports { storage: Arc::new(storage), bus: Arc::new(Elsewhere), keyring: Arc::new(keyring) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_keeps_its_promises() {
    let Some(server) = server() else { return };
    prove(journal_scenarios(), || Box::new(Database(server.database()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_seeds_agree_with_the_model() {
    let Some(server) = server() else { return };
    for seed in 100..112 {
        let world = World::start(Box::new(Database(server.database()))).await.unwrap();
        assert_eq!(random_commits_agree_with_the_model(world, seed).await, Ok(()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_ring_keeps_its_promises() {
    let Some(server) = server() else { return };
    prove(keyring_scenarios(), || Box::new(Database(server.database()))).await;
}
