//! A replica of the market: whenever it ended it starts again.

use std::sync::Arc;

use a4co::config::Settings;
use adapter_sim::planted::Planted;
use adapter_sim::{SimWorld, Witness};
use kernel::Duration;
use provider_sandbox::InMemory as GatewayMemory;
use testkit::{SimGround, TestMarket};

use super::doors::Doors;

/// How long a replica may take to start or to stop.
const LIMIT: Duration = Duration::from_secs(120);

/// What all replicas of a run stand on.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) world: SimWorld,
    pub(super) gateway: GatewayMemory,
    pub(super) settings: Arc<Settings>,
    pub(super) witness: Witness,
    /// A bug, planted on purpose.
    pub(super) planted: Option<Planted>,
    pub(super) is_shared: bool,
    pub(super) doors: Doors,
}

/// One replica.
pub(super) struct Replica {
    ground: Ground,
    number: usize,
    /// The world as it sees it.
    world: SimWorld,
}

impl Replica {
    pub(super) fn new(ground: &Ground, number: usize) -> Self {
        Self { ground: ground.clone(), number, world: ground.world.replica(number) }
    }

    /// Starts the process that runs now.
    pub(super) async fn start(&self, crashed: bool) -> Result<TestMarket, String> {
        let Ground { gateway, settings, witness, planted, is_shared, .. } = &self.ground;
        let (storage, bus) = (self.world.storage(), self.world.bus());
        let (storage, bus) = match planted {
            Some(planted) => (planted.storage(storage), planted.bus(bus)),
            None => (storage, bus),
        };
        let ground = SimGround {
            settings: settings.clone(),
            storage: witness.watch(storage),
            bus,
            // Where others read on, whoever takes over finds out.
            crashed: crashed && !is_shared,
            ..SimGround::of(&self.world, gateway)
        };
        let seen = self.world.crashes();
        let started = tokio::select! {
            biased;
            started = tokio::time::timeout(LIMIT, self.world.within(TestMarket::on(ground))) => started,
            _ = self.world.crashed(seen) => return Err("it died".to_owned()),
        };
        match started {
            Ok(started) => started.map_err(|error| error.to_string()),
            Err(_) => Err("it took too long".to_owned()),
        }
    }

    /// Lives on from its first process; never ends.
    pub(super) async fn live(&self) {
        let mut dice = self.ground.world.dice(&format!("replica {}", self.number));
        let mut seen = 0;
        loop {
            let mut crashed = self.until_ended(seen).await;
            loop {
                tokio::time::sleep(Duration::from_millis(dice.between(20, 2_000))).await;
                seen = self.world.crashes();
                match self.start(crashed).await {
                    Ok(market) => break self.ground.doors.open(self.number, market),
                    Err(reason) => self.world.note(&format!("did not start: {reason}")),
                }
                crashed = true;
                if self.world.crashes() == seen {
                    // A process that cannot start ends.
                    self.world.crash();
                }
            }
        }
    }

    /// Waits until more than `seen` of its processes died, or it was asked to stop and did; gives
    /// whether it died.
    async fn until_ended(&self, seen: u64) -> bool {
        let doors = &self.ground.doors;
        tokio::select! {
            biased;
            _ = self.world.crashed(seen) => {
                drop(doors.shut(self.number));
                return true;
            }
            () = doors.asked_to_stop(self.number) => {}
        }
        let Some(market) = doors.shut(self.number) else { return true };
        self.world.note(&format!("replica {} stops", self.number));
        let stopped = tokio::select! {
            biased;
            _ = self.world.crashed(seen) => return true,
            stopped = tokio::time::timeout(LIMIT, self.world.within(market.stop())) => stopped.is_ok(),
        };
        if stopped {
            self.world.end();
        } else {
            self.world.note("it does not stop: it is killed");
            self.world.crash();
        }
        !stopped
    }
}
