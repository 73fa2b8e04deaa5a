//! The whole market on simulated time, disk, network and gateway, as one process or as several
//! replicas on one store, with everything going wrong that may: the same seed gives the same run.
//! Each run places a few orders while requests and answers are lost, reads and fetches fail, and
//! replicas die, stop, stand still past their leases and are cut off; then the faults end, the market
//! comes to rest, and the facts must show that nothing was lost, doubled or forgotten
//! (reliability.md).

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use a4co::seed::customers::{self, Customer};
use adapter_sim::planted::Bug;
use adapter_sim::{BusKind, CommitFault, Faults, Settings};
use contracts::shared::OrderState;
use kernel::Duration;
use testkit::{Shelf, TestMarket, Wish};

use life::Run;
use plan::Plan;

mod customer;
mod doors;
mod life;
mod plan;
mod planted;
mod proof;
mod replica;
mod stock;

/// How many seeds a test run plays: fewer where somebody waits for it.
const SEEDS: u64 = 200;
/// The same on the build machine.
const SEEDS_IN_CI: u64 = 5_000;
/// In how many threads.
const THREADS: usize = 2;

/// What one run came to.
struct Outcome {
    hash: u64,
    trace: Vec<String>,
    crashes: u64,
    ended: BTreeMap<&'static str, u32>,
}

fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("a runtime starts")
}

/// Plays a seed in a runtime of its own, as another run of the program would.
fn play(seed: u64, bug: Option<Bug>) -> Outcome {
    let settings = plan::settings(seed);
    let run = Run { seed, settings: settings.clone(), stocked: stock::of(&settings), bug };
    runtime().block_on(run.play(|world| Plan::of(world, &settings)))
}

/// Plays a seed; where it fails, says how to play it again.
fn checked(seed: u64, bug: Option<Bug>) -> Result<Outcome, String> {
    std::panic::catch_unwind(AssertUnwindSafe(|| play(seed, bug))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let text = text.unwrap_or_default();
        format!("seed {seed}: {text}\nplay it again: A4CO_SEED={seed} cargo test -p it simulation::seeds\n")
    })
}

/// The seeds to play: `A4CO_SEED=17` plays one, `A4CO_SEED=1000..2000` those below 2000.
fn seeds() -> Vec<u64> {
    let number = |text: &str| text.parse::<u64>().expect("A4CO_SEED is a number, or two with .. between");
    match std::env::var("A4CO_SEED") {
        Ok(seeds) => match seeds.split_once("..") {
            Some((first, end)) => (number(first)..number(end)).collect(),
            None => vec![number(&seeds)],
        },
        Err(_) if std::env::var("CI").is_ok_and(|ci| ci == "true") => (1..=SEEDS_IN_CI).collect(),
        Err(_) => (1..=SEEDS).collect(),
    }
}

/// Plays seeds side by side.
fn play_all(seeds: &[u64]) -> Vec<Result<Outcome, String>> {
    let parts = seeds.chunks(seeds.len().div_ceil(THREADS));
    std::thread::scope(|scope| {
        // Thousands of traces would fill the memory.
        let one = |seed: &u64| checked(*seed, None).map(|outcome| Outcome { trace: Vec::new(), ..outcome });
        let play = move |part: &[u64]| part.iter().map(one).collect::<Vec<_>>();
        let threads: Vec<_> = parts.map(|part| scope.spawn(move || play(part))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread only gathers")).collect()
    })
}

#[test]
fn seeds_of_faults_lose_and_double_nothing() {
    let seeds = seeds();
    let (mut crashes, mut failures) = (0, Vec::new());
    let mut ended: BTreeMap<&str, u32> = BTreeMap::new();
    for outcome in play_all(&seeds) {
        match outcome {
            Ok(outcome) => {
                crashes += outcome.crashes;
                outcome.ended.iter().for_each(|(how, times)| *ended.entry(how).or_default() += times);
            }
            Err(failure) => failures.push(failure),
        }
    }
    eprintln!("{} seeds, {crashes} crashes, orders: {ended:?}", seeds.len());
    assert!(failures.is_empty(), "{} seeds failed\n{}", failures.len(), failures.join("\n"));
    if seeds.len() as u64 >= SEEDS {
        let of = |how: &str| ended.get(how).copied().unwrap_or(0);
        assert!(crashes > SEEDS / 2, "{crashes} crashes are too few to show anything");
        assert!(of("preparing") > 100 && of("cancelled") > 100 && of("refused") > 5, "{ended:?}");
    }
}

/// Their leases run out meanwhile, and they come back believing that they hold them.
#[test]
fn an_orders_events_stay_in_order_while_replicas_stand_still_for_a_minute() {
    for seed in 1..=8 {
        let settings = Settings { bus: BusKind::Broker, partitions: 4, replicas: 2, ..Settings::default() };
        let run = Run { seed, stocked: stock::of(&settings), settings, bug: None };
        let outcome = runtime().block_on(run.play(Plan::of_pauses));
        let pauses = outcome.trace.iter().filter(|line| line.ends_with("stands still")).count();
        assert_eq!((pauses, outcome.crashes), (2, 0));
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 1..=4 {
        let (first, second) = (play(seed, None), play(seed, None));
        let differs = first.trace.iter().zip(&second.trace).position(|(one, other)| one != other);
        if let Some(line) = differs {
            let around =
                |trace: &[String]| trace[line.saturating_sub(5)..(line + 1).min(trace.len())].join("\n");
            panic!(
                "seed {seed} differs at line {line}:\n{}\n--- and ---\n{}",
                around(&first.trace),
                around(&second.trace)
            );
        }
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert!(first.trace.len() > 100, "seed {seed} is too short to show anything");
    }
}

/// Somebody with an account: the first step of their order's saga is a call.
async fn customer(market: &TestMarket) -> Customer {
    let known = customers::registered(&market.api, &market.tokens(), "cliente", 1, &[]).await;
    known.expect("an account is opened")
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_commit_lost_its_answer_is_fulfilled_all_the_same() {
    let market = TestMarket::simulated(5).await;
    let goods = market.sell(Shelf::USUAL).await;
    let customer = customer(&market).await;
    market.rest().await;
    let world = market.world().expect("a simulated market").clone();
    // The commit that places the order, starts its saga, and records its first call and timer.
    world.at(world.commits() + 1, CommitFault::AnswerLost);
    let lines = [(goods.item("HONEY"), 1)];
    let wish = Wish { customer: Some(&customer), ..Wish::guest("lost", &lines, "sandbox-card-ok") };
    let begun = world.now();
    let placed = market.place(&wish).await.expect("the answer is looked up by its key");
    let is_lost = |line: &String| line.contains("of order") && line.contains("AnswerLost");
    assert!(world.trace().iter().any(is_lost), "nothing was lost");
    market.until_state(placed.order_id, &[OrderState::Preparing]).await;
    // By a look at the rows, and not because a step of the saga ran into its deadline.
    let took = world.now().since(begun);
    let looked = Duration::from_millis(900)..Duration::from_millis(2_500);
    assert!(looked.contains(&took), "the call of the lost answer was made after {took:?}");
    market.finish().await;
}

/// Rule 14: what is down uses up no attempts, and consumers go on where they stood.
#[tokio::test(start_paused = true)]
async fn an_outage_parks_nothing_and_loses_nothing() {
    let market = TestMarket::simulated(6).await;
    let goods = market.sell(Shelf::USUAL).await;
    market.rest().await;
    let world = market.world().expect("a simulated market").clone();
    let calm_after = async |what: &str| {
        world.faults(|faults| *faults = Faults::default());
        let facts = market.facts().await.expect("reading works");
        assert_eq!((facts.parked, facts.dead.len()), (0, 0), "{what} used up attempts");
    };
    // The bus is away, then it is back and the disk takes nothing.
    world.faults(|faults| faults.fetch_fails_permille = 1_000);
    let wish = Wish::guest("outage", &[(goods.item("HONEY"), 1)], "sandbox-card-ok");
    let placed = market.place(&wish).await.expect("it is placed");
    tokio::time::sleep(Duration::from_secs(4)).await;
    calm_after("the bus").await;
    world.faults(|faults| faults.not_written_permille = 1_000);
    tokio::time::sleep(Duration::from_secs(4)).await;
    calm_after("the disk").await;
    market.until_state(placed.order_id, &[OrderState::Preparing]).await;
    market.finish().await;
}

/// The name under which a run counts an order's end.
fn name_of(state: OrderState) -> &'static str {
    state.as_str()
}
