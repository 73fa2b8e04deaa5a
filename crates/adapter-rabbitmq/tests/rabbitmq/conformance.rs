//! The promises of the port.

use std::sync::Arc;

use adapter_rabbitmq::RabbitBus;
use adapter_sim::SimWorld;
use async_trait::async_trait;
use conformance::{Fixture, Ports, bus_scenarios, prove};
use testservers::RabbitServer;

use crate::broker::{options, server};

struct Market {
    server: Arc<RabbitServer>,
    host: String,
    /// Journal and key ring, which these scenarios do not use.
    rest: SimWorld,
    restarts: bool,
}

#[async_trait]
impl Fixture for Market {
    async fn start(&self) -> Result<Ports, String> {
        let bus = RabbitBus::connect(options(&self.host)).await;
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
    let scenarios = bus_scenarios();
    let Some(server) = server(scenarios.len()) else { return };
    let server = Arc::new(server);
    let fixture = || -> Box<dyn Fixture> {
        let (server, host) = (server.clone(), server.host());
        Box::new(Market { server, host, rest: SimWorld::new(1), restarts })
    };
    // A restart takes seconds: those that show nothing by one are shown without.
    let reopens = |name: &str| name.contains("restart") || name.contains("again") || name.contains("told");
    let wanted = scenarios.into_iter().filter(|scenario| !restarts || reopens(scenario.name));
    prove(wanted.collect(), fixture).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_keeps_its_promises() {
    prove_all(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_keeps_its_promises_where_the_server_restarts_too() {
    prove_all(true).await;
}
