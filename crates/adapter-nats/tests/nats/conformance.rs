//! The promises of the port. A restart is a restart of the server.

use std::sync::Arc;

use adapter_sim::SimWorld;
use async_trait::async_trait;
use conformance::{Fixture, Ports, bus_scenarios, prove};
use testservers::NatsServer;

use crate::broker::{options, server};

struct Market {
    server: NatsServer,
    /// Journal and key ring, which these scenarios do not use.
    rest: SimWorld,
    restarts: bool,
}

#[async_trait]
impl Fixture for Market {
    async fn start(&self) -> Result<Ports, String> {
        let bus = adapter_nats::NatsBus::connect(options(&self.server)).await;
        let bus = Arc::new(bus.map_err(|error| error.to_string())?);
        Ok(Ports { storage: self.rest.storage(), bus, keyring: self.rest.keyring() })
    }

    async fn stop(&self, ports: Ports) -> Result<(), String> {
        drop(ports);
        if self.restarts {
            self.server.stop();
            self.server.start_again();
        }
        Ok(())
    }
}

async fn prove_all(restarts: bool) {
    if server().is_none() {
        return;
    }
    let fixture = || -> Box<dyn Fixture> {
        let server = NatsServer::start().expect("it was there a moment ago");
        Box::new(Market { server, rest: SimWorld::new(1), restarts })
    };
    prove(bus_scenarios(), fixture).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_keeps_its_promises() {
    prove_all(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_keeps_its_promises_where_the_server_restarts_too() {
    prove_all(true).await;
}
