//! Scenarios and their runner.

use std::panic::AssertUnwindSafe;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
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
    let mut failures = Vec::new();
    for scenario in scenarios {
        failures.extend(failure_of(scenario, start()).await);
    }
    match failures.len() {
        0 => Ok(scenarios.len()),
        failed => Err(format!("{failed} of {} scenarios failed\n{}", scenarios.len(), failures.join("\n"))),
    }
}

/// Runs all of them and panics with every failure by name.
pub async fn prove(scenarios: Vec<Scenario>, fixture: impl Fn() -> Box<dyn Fixture>) {
    if let Err(failures) = run(&scenarios, fixture).await {
        panic!("{failures}");
    }
}

/// Runs all of them, so many at a time, each in a world of its own and in a task of its own, and gives
/// every failure by name. Those that come first begin first: list the long ones there.
pub async fn run_side_by_side<W, S>(
    scenarios: Vec<Scenario<W>>,
    at_once: usize,
    start: impl Fn() -> S + Clone + Send + 'static,
) -> Vec<String>
where
    W: Send + 'static,
    S: Future<Output = Result<W, String>> + Send + 'static,
{
    let run = |scenario: Scenario<W>| {
        let begin = start.clone();
        let task = tokio::spawn(async move { failure_of(&scenario, begin()).await });
        async move { task.await.unwrap_or_else(|ended| Some(ended.to_string())) }
    };
    let ended = futures::stream::iter(scenarios).map(run).buffer_unordered(at_once);
    ended.filter_map(async |failure| failure).collect().await
}

/// Runs one; what was found instead, with its name.
async fn failure_of<W>(
    scenario: &Scenario<W>,
    start: impl Future<Output = Result<W, String>>,
) -> Option<String> {
    let Scenario { name, rule, .. } = scenario;
    let found = run_one(scenario, start).await.err()?;
    Some(format!("✗ {name} ({rule})\n    {found}"))
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
