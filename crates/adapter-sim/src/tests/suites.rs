//! Every scenario of the ports, on both kinds of bus.

use async_trait::async_trait;
use conformance::{Fixture, Ports, World, bus_scenarios, journal_scenarios, keyring_scenarios, prove};

use crate::{BusKind, Settings, SimWorld};

/// A restart is a crash: the suite sees that what was answered is there.
struct SimFixture(SimWorld);

#[async_trait]
impl Fixture for SimFixture {
    async fn start(&self) -> Result<Ports, String> {
        Ok(Ports { storage: self.0.storage(), bus: self.0.bus(), keyring: self.0.keyring() })
    }

    async fn stop(&self, _: Ports) -> Result<(), String> {
        self.0.crash();
        Ok(())
    }
}

fn fixture(seed: u64, bus: BusKind) -> Box<dyn Fixture> {
    Box::new(SimFixture(SimWorld::with(seed, Settings { bus, ..Settings::default() })))
}

#[tokio::test(start_paused = true)]
async fn the_journal_keeps_its_promises() {
    prove(journal_scenarios(), || fixture(1, BusKind::Log)).await;
    prove(journal_scenarios(), || fixture(2, BusKind::Broker)).await;
}

#[tokio::test(start_paused = true)]
async fn the_log_keeps_the_promises_of_the_bus() {
    prove(bus_scenarios(), || fixture(3, BusKind::Log)).await;
}

#[tokio::test(start_paused = true)]
async fn the_broker_keeps_the_promises_of_the_bus() {
    prove(bus_scenarios(), || fixture(4, BusKind::Broker)).await;
}

/// Stores that several write keep the same promises.
#[tokio::test(start_paused = true)]
async fn replicas_keep_the_promises_of_the_journal_and_of_the_bus() {
    let shared = || {
        let settings = Settings { bus: BusKind::Broker, replicas: 2, ..Settings::default() };
        Box::new(SimFixture(SimWorld::with(6, settings))) as Box<dyn Fixture>
    };
    prove(journal_scenarios(), shared).await;
    prove(bus_scenarios(), shared).await;
}

#[tokio::test(start_paused = true)]
async fn the_key_ring_keeps_its_promises() {
    prove(keyring_scenarios(), || fixture(5, BusKind::Log)).await;
}

#[tokio::test(start_paused = true)]
async fn many_seeds_agree_with_the_model() {
    for seed in 100..160 {
        let world = World::start(fixture(seed, BusKind::Log)).await.expect("the simulation starts");
        let result = conformance::random_commits_agree_with_the_model(world, seed).await;
        assert_eq!(result, Ok(()));
    }
}
