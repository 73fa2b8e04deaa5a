//! What tests forget to look at.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use a4co::verify::{self, Facts};
use kernel::Duration;

use crate::TestMarket;

/// How soon the market is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long it may take to come to rest.
const REST_LIMIT: Duration = Duration::from_secs(60);

/// How much of a saga's timeline is shown.
const LAST_ENTRIES: usize = 8;

/// What still goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsettled(Vec<String>);

impl Unsettled {
    /// True where nothing does.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

/// What still goes on: sagas that run, deliveries that wait, consumers that are behind.
pub fn unsettled(facts: &Facts) -> Unsettled {
    let mut found = Vec::new();
    for (service, saga) in facts.sagas.iter().filter(|(_, saga)| !saga.phase.is_final()) {
        let (name, id, phase, due) = (&saga.saga, saga.id, saga.phase.name(), saga.due);
        let calls: Vec<&str> = saga.calls.iter().map(|call| call.key.as_str()).collect();
        let last = saga.timeline.iter().rev().take(LAST_ENTRIES).rev();
        let last: Vec<String> =
            last.map(|entry| format!("{} {} {}", entry.at, entry.step, entry.what)).collect();
        found
            .push(format!("{service}'s saga {name} {id} is {phase}, due {due:?}, calls {calls:?}: {last:?}"));
    }
    if facts.parked > 0 {
        found.push(format!("{} deliveries are parked", facts.parked));
    }
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    for (position, event) in &facts.log {
        ends.insert(event.context(), *position);
    }
    for (consumer, position) in &facts.checkpoints {
        let end = consumer.split_once('-').and_then(|(_, context)| ends.get(context)).copied().unwrap_or(0);
        if *position < end {
            found.push(format!("consumer {consumer} stands at {position} before {end}"));
        }
    }
    for (consumer, event) in &facts.underway {
        found.push(format!("{consumer} has not taken in {} {}", event.kind, event.id));
    }
    Unsettled(found)
}

impl TestMarket {
    /// Waits until nothing goes on any more, which two looks must say: each reads one store after
    /// the other.
    pub async fn rest(&self) -> Facts {
        let begun = tokio::time::Instant::now();
        let mut told = None;
        loop {
            let facts = self.facts().await.expect("the facts can be read");
            let open = unsettled(&facts);
            if open.is_none() && told.replace(facts.log.len()) == Some(facts.log.len()) {
                return facts;
            }
            assert!(begun.elapsed() < REST_LIMIT, "the market does not come to rest: {open:#?}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until nothing goes on any more, proves that all is well, and stops in order.
    pub async fn finish(self) {
        let facts = self.rest().await;
        let report = verify::check(&facts);
        let mut wrong = String::new();
        for violation in &report.violations {
            let _ = writeln!(wrong, "{violation}");
        }
        assert!(wrong.is_empty(), "{wrong}");
        assert_eq!(report.parked, 0, "deliveries wait");
        if let Some(world) = self.world() {
            assert_eq!(world.panics(), Vec::<String>::new());
        }
        self.stop().await;
    }
}
