//! The probe on simulated ground, with a broker or the embedded log.

use std::sync::Arc;

use adapter_sim::{BusKind, Settings, SimWorld};
use backbone::reaction::Reaction;
use backbone::work::{Origin, Work};
use backbone::{Context, Module};
use engine::{Engine, Options, Parts, Running};
use kernel::{Duration, Event};
use serde_json::Value;
use uuid::Uuid;

use super::probe::{NoCalls, Orders, Ping, SEEN, Seen, probe_module};

/// One process of a world.
pub(super) struct Ground {
    pub(super) world: SimWorld,
    pub(super) context: Context,
    pub(super) running: Running,
}

pub(super) fn world(seed: u64, bus: BusKind) -> SimWorld {
    SimWorld::with(seed, Settings { bus, ..Settings::default() })
}

/// The probe with a handler of its own.
pub(super) fn reacting(react: Reaction) -> Module {
    let publishes = vec![&Ping::TYPE];
    Module { publishes, reactions: vec![react], collections: vec![&SEEN], ..Module::new("probe") }
}

impl Ground {
    /// Starts the probe.
    pub(super) async fn probe(world: &SimWorld, orders: &Arc<Orders>) -> Self {
        Self::start(world, probe_module(orders.clone())).await
    }

    /// Starts a module; after a crash it recovers.
    pub(super) async fn start(world: &SimWorld, module: Module) -> Self {
        let (environment, storage) = (world.environment(), world.storage());
        let (bus, keyring) = (world.bus(), world.keyring());
        let mut engine = Engine::new(Parts { environment, storage, bus, keyring });
        let context = engine.context("probe", Arc::new(NoCalls));
        engine.mount(module).unwrap();
        let running = engine.start(Options { crashed: world.crashes() > 0 }).await.unwrap();
        Self { world: world.clone(), context, running }
    }

    pub(super) async fn ping(&self, key: Uuid, numbers: std::ops::RangeInclusive<u64>) {
        let work = Work::new("ping", Origin::default(), move |ws| {
            for n in numbers.clone() {
                ws.publish(Ping { key, n, secret: String::new().into() });
            }
            Ok(Value::Null)
        });
        self.context.commands.execute(work).await.unwrap();
    }

    pub(super) async fn seen(&self, key: Uuid) -> Vec<u64> {
        self.context.get::<Seen>(key).await.unwrap().map_or_else(Vec::new, |seen| seen.document.order)
    }

    /// Whether the broker delivers nothing.
    pub(super) fn deafen(&self, is_deaf: bool) {
        self.world.hold_deliveries(is_deaf);
    }

    pub(super) fn firing(&self) -> Vec<&'static str> {
        self.running.watch().alerts().into_iter().map(|alert| alert.alert).collect()
    }
}

pub(super) async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}

pub(super) fn upto(last: u64) -> Vec<u64> {
    (1..=last).collect()
}
