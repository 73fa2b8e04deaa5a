//! A market that was stocked in calm, once for all seeds that begin with one.

use std::sync::OnceLock;

use adapter_sim::{BusKind, Settings, SimWorld, Snapshot};
use provider_sandbox::InMemory as GatewayMemory;
use testkit::{Goods, Shelf, TestMarket};

/// What was durable when the goods were on the shelves and the market had stopped in order.
pub(super) struct Stocked {
    pub(super) snapshot: Snapshot,
    pub(super) goods: Goods,
}

/// With an embedded log, and with a broker of one to four partitions.
static STOCKED: [OnceLock<Stocked>; 5] = [const { OnceLock::new() }; 5];

/// The stock that a world with these settings begins with. Not to be asked on a runtime.
pub(super) fn of(settings: &Settings) -> &'static Stocked {
    let Settings { bus, partitions, .. } = settings.clone();
    let place = if bus == BusKind::Log { 0 } else { partitions as usize };
    STOCKED[place].get_or_init(|| {
        super::runtime().block_on(async {
            let world = SimWorld::with(0, Settings { bus, partitions, ..Settings::default() });
            let market = TestMarket::in_world(&world, &GatewayMemory::default(), false).await;
            let market = market.expect("a calm market starts");
            let goods = market.sell(Shelf::USUAL).await;
            market.rest().await;
            market.stop().await;
            Stocked { snapshot: world.snapshot(), goods }
        })
    })
}
