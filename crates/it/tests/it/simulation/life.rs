//! One run: a calm market is stocked, then faults begin, processes die and start again, until all
//! customers were answered; then calm again, and rest.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use a4co::verify::Facts;
use adapter_sim::{Faults, SimWorld};
use kernel::Duration;
use provider_sandbox::InMemory as GatewayMemory;
use testkit::{Shelf, TestMarket, unsettled};

use super::customer::{Customer, Door};
use super::plan::{self, Plan};
use super::{Outcome, proof};

/// How long after the last fault the market may take to come to rest: retries and deadlines are
/// waited for, three-day ones have no place in these plans.
const REST_LIMIT: Duration = Duration::from_secs(2 * 3_600);
/// How soon it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Plays a seed.
pub(super) async fn of(seed: u64) -> Outcome {
    let world = SimWorld::with(seed, plan::settings(seed));
    let gateway = GatewayMemory::default();
    let market = TestMarket::in_world(&world, &gateway, false).await.expect("a calm market starts");
    let goods = market.sell(Shelf::USUAL).await;
    let plan = Plan::of(&world);
    world.note(&format!("{plan:?}"));
    let door: Door = Rc::new(RefCell::new(Some(market)));
    let begun = world.commits();
    world.faults(|faults| *faults = plan.faults.clone());
    for (number, fault) in &plan.at {
        world.at(begun + number, *fault);
    }
    let customers = plan.orders.iter().map(|planned| {
        let customer = Customer { door: door.clone(), goods: &goods, planned: planned.clone() };
        customer.buy()
    });
    let story = async {
        let told = futures::future::join_all(customers).await;
        world.note("calm");
        world.faults(|faults| *faults = Faults::default());
        (told, rest(&world, &gateway, &door).await)
    };
    let (told, facts) = tokio::select! {
        biased;
        ended = story => ended,
        () = revive(&world, &gateway, &door) => unreachable!("whoever revives never rests"),
    };
    let ended = proof::check(&world, &told, &facts);
    Outcome { hash: world.trace_hash(), trace: world.trace(), crashes: world.crashes(), ended }
}

/// Starts the next process whenever one died.
async fn revive(world: &SimWorld, gateway: &GatewayMemory, door: &Door) {
    let mut dice = world.dice("revive");
    let mut seen = world.crashes();
    loop {
        world.crashed(seen).await;
        drop(door.borrow_mut().take());
        loop {
            tokio::time::sleep(Duration::from_millis(dice.between(20, 2_000))).await;
            seen = world.crashes();
            let started = tokio::select! {
                biased;
                started = TestMarket::in_world(world, gateway, true) => started.map_err(|e| e.to_string()),
                _ = world.crashed(seen) => Err("it died".to_owned()),
            };
            match started {
                Ok(market) => break drop(door.borrow_mut().replace(market)),
                Err(reason) => world.note(&format!("did not start: {reason}")),
            }
            if world.crashes() == seen {
                // A process that cannot start ends.
                world.crash();
            }
        }
    }
}

/// Waits until nothing goes on any more, which two looks must say: each reads one store after the
/// other.
async fn rest(world: &SimWorld, gateway: &GatewayMemory, door: &Door) -> Facts {
    let begun = tokio::time::Instant::now();
    let mut told = None;
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let open = if door.borrow().is_some() {
            match facts(world, gateway).await {
                Ok(facts) => {
                    let open = unsettled(&facts);
                    if open.is_none() && told.replace(facts.log.len()) == Some(facts.log.len()) {
                        return facts;
                    }
                    format!("{open:#?}")
                }
                Err(error) => error.to_string(),
            }
        } else {
            "no process runs".to_owned()
        };
        assert!(begun.elapsed() < REST_LIMIT, "the market does not come to rest: {open}");
    }
}

async fn facts(world: &SimWorld, gateway: &GatewayMemory) -> anyhow::Result<Facts> {
    use provider_sandbox::Memory as _;
    let bus = world.bus();
    let log = bus.capabilities().reads_by_position.then_some(&*bus);
    Facts::read(&*world.storage(), log, gateway.load()?).await
}

/// How often each end was.
pub(super) type Ends = BTreeMap<&'static str, u32>;
