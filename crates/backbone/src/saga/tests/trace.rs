//! The trace of what started a saga goes on in its calls, timers and steps, and records of before
//! there was one are read.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::environment::Ids;
use crate::timer::Timer;
use crate::work::Origin;
use crate::workspace::{Draft, Key, Slot, States};

const STARTED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const MOVED: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";

#[derive(Default)]
struct Kept(BTreeMap<Key, Slot>);

impl States for Kept {
    fn get(&self, key: &Key) -> Option<Slot> {
        self.0.get(key).cloned()
    }
}

impl Ids for Kept {
    fn uuid(&self) -> Uuid {
        Uuid::nil()
    }

    fn random(&self) -> u64 {
        0
    }
}

impl Kept {
    /// Decides something that this traceparent set in motion, and keeps it.
    fn decide(&mut self, traceparent: Option<&str>, decide: impl FnOnce(&mut Workspace<'_>)) -> Draft {
        let origin = Origin { traceparent: traceparent.map(str::to_owned), ..Origin::default() };
        let none = Self::default();
        let mut ws = Workspace::new(self, &none, Timestamp::from_micros(0), origin);
        decide(&mut ws);
        let draft = ws.into_draft();
        self.0.extend(draft.changes.iter().map(|(key, change)| (key.clone(), change.slot.clone())));
        draft
    }

    fn booked(&mut self, traceparent: Option<&str>) -> Draft {
        self.decide(traceparent, |ws| {
            let answer = Answer::to("book", Outcome::Succeeded);
            assert!(ws.reply_to_saga::<Trip>(Uuid::nil(), &answer).unwrap());
        })
    }
}

fn started() -> Kept {
    let mut kept = Kept::default();
    kept.decide(Some(STARTED), |ws| ws.start_saga::<Trip>(Uuid::nil(), Data::default()).unwrap());
    kept
}

/// The trace contexts of the calls and timers of a decision.
fn contexts(draft: &Draft) -> Vec<Option<String>> {
    let calls = draft.calls.iter().map(|call| call.traceparent.clone());
    let states = draft.changes.values().map(|change| change.slot.state.clone());
    let timers = states.filter_map(|state| state.downcast::<Option<Timer>>().ok());
    let timers = timers.filter_map(|timer| timer.as_ref().clone()).map(|timer| timer.traceparent);
    calls.chain(timers).collect()
}

#[test]
fn a_call_and_a_deadline_follow_from_what_moved_the_saga() {
    let moved = Some(MOVED.to_owned());
    assert_eq!(contexts(&started().booked(Some(MOVED))), [moved.clone(), moved]);
}

#[test]
fn what_no_trace_set_in_motion_follows_from_what_started_the_saga() {
    let begun = Some(STARTED.to_owned());
    assert_eq!(contexts(&started().booked(None)), [begun.clone(), begun]);
}

#[test]
fn a_saga_and_a_timer_of_before_there_were_traces_are_read() {
    let saga = instance::<Trip>(Uuid::nil(), "flow", Data::default(), Timestamp::default());
    let old = serde_json::to_value(saga).unwrap();
    assert!(old.get("traceparent").is_none(), "what has none is written as it was");
    let saga: InstanceOf<Trip> = serde_json::from_value(old).unwrap();
    assert_eq!(saga.traceparent, None);
    let old = json!({"name": "saga:trip", "key": "1", "due": "2026-01-05T10:00:00Z", "generation": 3});
    let timer: Timer = serde_json::from_value(old.clone()).unwrap();
    assert_eq!(timer.traceparent, None);
    assert_eq!(serde_json::to_value(timer).unwrap().get("traceparent"), None);
}
