//! Scenarios and their runner.

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::future::BoxFuture;
use kernel::Duration;

use crate::world::{Fixture, World};

/// How long one scenario may take: more means that something waits for ever.
const SCENARIO_TIME_MAX: Duration = Duration::from_secs(120);

/// One promise, shown in a world of its kind.
#[derive(Clone, Copy)]
pub struct Scenario<W = World> {
    /// The promise, as a sentence.
    pub name: &'static str,
    /// Where it is made: `reliability.md rule 19`, `backbone::journal::Journal`.
    pub rule: &'static str,
    /// Shows it on fresh ports, or says what was found instead.
    pub run: fn(W) -> BoxFuture<'static, Result<(), String>>,
}

/// Lists scenarios: the sentence, the rule, the function.
macro_rules! scenarios {
    ($($name:literal, $rule:literal, $run:path;)+) => {
        vec![$($crate::Scenario { name: $name, rule: $rule, run: |world| Box::pin($run(world)) }),+]
    };
}
pub(crate) use scenarios;

/// Runs all of them, each on a fixture of its own, and gives the number that passed, or every
/// failure by name.
pub async fn run(scenarios: &[Scenario], fixture: impl Fn() -> Box<dyn Fixture>) -> Result<usize, String> {
    run_in(scenarios, || World::start(fixture())).await
}

/// Runs all of them, each in a world of its own.
pub(crate) async fn run_in<W, S: Future<Output = Result<W, String>>>(
    scenarios: &[Scenario<W>],
    start: impl Fn() -> S,
) -> Result<usize, String> {
    let mut failures = String::new();
    let mut failed = 0;
    for scenario in scenarios {
        if let Err(found) = run_one(scenario, start()).await {
            failed += 1;
            let Scenario { name, rule, .. } = scenario;
            writeln!(failures, "✗ {name} ({rule})\n    {found}").expect("text takes text");
        }
    }
    match failed {
        0 => Ok(scenarios.len()),
        failed => Err(format!("{failed} of {} scenarios failed\n{failures}", scenarios.len())),
    }
}

/// Runs all of them and panics with every failure by name.
pub async fn prove(scenarios: Vec<Scenario>, fixture: impl Fn() -> Box<dyn Fixture>) {
    if let Err(failures) = run(&scenarios, fixture).await {
        panic!("{failures}");
    }
}

async fn run_one<W>(
    scenario: &Scenario<W>,
    start: impl Future<Output = Result<W, String>>,
) -> Result<(), String> {
    let play = async { (scenario.run)(start.await?).await };
    match tokio::time::timeout(SCENARIO_TIME_MAX, AssertUnwindSafe(play).catch_unwind()).await {
        Err(_) => Err(format!("still waiting after {} s", SCENARIO_TIME_MAX.as_secs())),
        Ok(Err(panic)) => Err(format!("panicked: {}", message(&*panic))),
        Ok(Ok(result)) => result,
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
