//! One run: a market that was stocked in calm starts, then faults begin, replicas die, stop, stand
//! still and start again, until all customers were answered; then calm again, and rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use a4co::config::Settings;
use a4co::verify::Facts;
use adapter_sim::planted::{Bug, plant};
use adapter_sim::{Faults, SimWorld, Witness};
use kernel::Duration;
use provider_sandbox::InMemory as GatewayMemory;
use testkit::unsettled;

use super::customer::{Customer, Told};
use super::doors::Doors;
use super::plan::{Kind, Plan, Trouble};
use super::replica::{Ground, Replica};
use super::stock::Stocked;
use super::{Outcome, proof};

/// How long after the last fault the market may take to come to rest: retries and deadlines are
/// waited for, three-day ones have no place in these plans.
const REST_LIMIT: Duration = Duration::from_secs(2 * 3_600);
/// The same where a bug is looked for.
const REST_LIMIT_OF_A_BUG: Duration = Duration::from_secs(1_200);
/// How long faults by chance go on.
const FAULTS_LIMIT: Duration = Duration::from_secs(300);
/// How soon it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How customers who were asked by their bank may take their time: what is simulated is paid for by
/// the second.
const BANK_LIMIT: Duration = Duration::from_secs(60);

fn settings() -> Arc<Settings> {
    let mut settings = Settings::default();
    settings.payment.three_ds_limit = BANK_LIMIT;
    Arc::new(settings)
}

/// Writes the trace into the file that `A4CO_TRACE` names where a run fails.
struct Traced(SimWorld);

impl Drop for Traced {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(path) = std::env::var("A4CO_TRACE")
        {
            drop(std::fs::write(path, self.0.trace().join("\n")));
        }
    }
}

/// What is played.
pub(super) struct Run {
    pub(super) seed: u64,
    pub(super) settings: adapter_sim::Settings,
    pub(super) stocked: &'static Stocked,
    /// A bug to be found.
    pub(super) bug: Option<Bug>,
}

impl Run {
    /// Plays a plan.
    pub(super) async fn play(self, plan: impl FnOnce(&SimWorld) -> Plan) -> Outcome {
        let Self { seed, settings: set, stocked, bug } = self;
        let replicas = set.replicas;
        let world = SimWorld::from(seed, set, stocked.snapshot.clone());
        let _traced = Traced(world.clone());
        let doors = Doors::of(&world, replicas);
        let ground = Ground {
            gateway: GatewayMemory::default(),
            settings: settings(),
            witness: Witness::default(),
            planted: bug.map(plant),
            is_shared: replicas > 1,
            doors,
            world,
        };
        let all: Vec<Replica> = (0..replicas).map(|number| Replica::new(&ground, number)).collect();
        for (number, replica) in all.iter().enumerate() {
            ground.doors.open(number, replica.start(false).await.expect("a calm market starts"));
        }
        let plan = plan(&ground.world);
        let lives = futures::future::join_all(all.iter().map(Replica::live));
        let (told, facts) = tokio::select! {
            biased;
            ended = story(&ground, &plan, stocked) => ended,
            _ = lives => unreachable!("whoever starts again and again never rests"),
        };
        let ended = proof::check(&ground, &told, &facts);
        let world = &ground.world;
        let crashes = (0..replicas).map(|replica| world.replica(replica).crashes()).sum();
        Outcome { hash: world.trace_hash(), trace: world.trace(), crashes, ended }
    }
}

/// Customers come, and everything goes wrong that is planned; then it is calm, and all comes to rest.
async fn story(ground: &Ground, plan: &Plan, stocked: &Stocked) -> (Vec<Told>, Facts) {
    let Ground { world, doors, .. } = ground;
    world.note(&format!("{plan:?}"));
    let begun = world.commits();
    world.faults(|faults| *faults = plan.faults.clone());
    for (number, fault) in &plan.at {
        world.at(begun + number, *fault);
    }
    let customers = plan.orders.iter().map(|planned| {
        let customer = Customer { doors: doors.clone(), goods: &stocked.goods, planned: planned.clone() };
        customer.buy()
    });
    let troubles = plan.troubles.iter().map(|trouble| make(world, doors, trouble));
    let (customers, troubles) = (futures::future::join_all(customers), futures::future::join_all(troubles));
    let (told, _) = tokio::select! {
        biased;
        told = futures::future::join(customers, troubles) => told,
        () = calm_down(world) => unreachable!("whoever keeps calm never ends"),
    };
    world.note("calm");
    world.faults(|faults| *faults = Faults::default());
    (told, rest(ground).await)
}

/// Ends the faults by chance after a while: where each start fails by one of them, no customer would
/// ever be answered.
async fn calm_down(world: &SimWorld) {
    tokio::time::sleep(FAULTS_LIMIT).await;
    world.note("faults end");
    world.faults(|faults| *faults = Faults::default());
    std::future::pending().await
}

/// Makes a trouble, and ends it.
async fn make(world: &SimWorld, doors: &Doors, trouble: &Trouble) {
    let Trouble { at, replica, what } = trouble;
    tokio::time::sleep(*at).await;
    let its = world.replica(*replica);
    match what {
        Kind::Pause { lasts, holds } => {
            its.pause(*holds);
            tokio::time::sleep(*lasts).await;
            its.resume();
        }
        Kind::Cut { side, lasts } => {
            its.cut(*side);
            tokio::time::sleep(*lasts).await;
            its.heal();
        }
        Kind::Crash => its.crash(),
        Kind::Stop => doors.ask_to_stop(*replica),
        Kind::BrokerCrash => its.crash_broker(),
    }
}

/// Waits until nothing goes on any more, which two looks must say: each reads one store after the
/// other, so the first one counts where the second finds nothing new.
async fn rest(ground: &Ground) -> Facts {
    let begun = tokio::time::Instant::now();
    let limit = if ground.planted.is_some() { REST_LIMIT_OF_A_BUG } else { REST_LIMIT };
    let mut before: Option<Facts> = None;
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let open = if ground.doors.is_any_open() {
            match facts(ground).await {
                Ok(facts) => {
                    let open = unsettled(&facts);
                    let events = facts.log.len();
                    let settled = open.is_none().then_some(facts);
                    match std::mem::replace(&mut before, settled) {
                        Some(settled) if open.is_none() && settled.log.len() == events => return settled,
                        _ => format!("{open:#?}"),
                    }
                }
                Err(error) => error.to_string(),
            }
        } else {
            "no process runs".to_owned()
        };
        assert!(begun.elapsed() < limit, "the market does not come to rest: {open}");
    }
}

async fn facts(ground: &Ground) -> anyhow::Result<Facts> {
    use provider_sandbox::Memory as _;
    let observer = ground.world.observer();
    let bus = observer.bus();
    let log = bus.capabilities().reads_by_position.then_some(&*bus);
    Facts::read(&*observer.storage(), log, ground.gateway.load()?).await
}

/// How often each end was.
pub(super) type Ends = BTreeMap<&'static str, u32>;
