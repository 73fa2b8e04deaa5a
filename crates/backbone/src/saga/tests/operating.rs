//! What an operator can do, and what stands of it.

use super::super::operating::{open_acts, refused};
use super::*;

fn acts(trip: &Journey) -> Vec<&'static str> {
    open_acts::<Trip, _, _>(&trip.saga)
}

fn abandoned() -> Journey {
    let mut trip = Journey::charging();
    trip.happen(Happening::Abort("changed my mind".into()));
    trip
}

#[test]
fn what_an_operator_can_do_follows_from_where_the_saga_is() {
    let stuck = ["retry", "skip", "done"];
    assert_eq!(acts(&Journey::begun()), ["compensate"]);
    assert_eq!(acts(&Journey::charging()), ["compensate"]);
    let mut trip = Journey::sending();
    assert!(acts(&trip).is_empty(), "past the pivot it goes forward by itself");
    trip.answer("send", failed(false));
    assert_eq!((trip.saga.phase, acts(&trip)), (Phase::Blocked, stuck.to_vec()));
    trip.operate(Operator::Skip { reason: "sent by hand".into() });
    assert_eq!((trip.saga.phase, acts(&trip)), (Phase::Completed, vec![]));

    let mut trip = abandoned();
    assert!(acts(&trip).is_empty(), "it is being undone");
    trip.undone("charge", failed(false));
    assert_eq!((trip.saga.phase, acts(&trip)), (Phase::Compensating, stuck.to_vec()), "the rest goes on");
    trip.undone("book", Outcome::Succeeded);
    assert_eq!((trip.saga.phase, acts(&trip)), (Phase::Blocked, stuck.to_vec()));
}

#[test]
fn what_cannot_be_done_is_refused_with_a_code_of_its_own() {
    let compensate = Operator::Compensate { reason: String::new() };
    let mut ended = abandoned();
    ended.undone("charge", Outcome::Succeeded);
    ended.undone("book", Outcome::Succeeded);
    for (trip, act, code) in [
        (Journey::charging(), &Operator::Retry, "saga-not-blocked"),
        (Journey::sending(), &compensate, "saga-past-its-pivot"),
        (abandoned(), &compensate, "saga-undone-already"),
        (ended, &compensate, "saga-ended"),
    ] {
        assert_eq!(refused::<Trip, _, _>(&trip.saga, act).map(|refused| refused.code), Some(code));
    }
}

#[test]
fn the_timeline_says_what_an_operator_did_and_why() {
    for (act, detail, status) in [
        (Operator::Retry, "retry", UndoStatus::Running),
        (Operator::Skip { reason: "written off".into() }, "skip: written off", UndoStatus::Skipped),
        (Operator::MarkDone { reason: "by hand".into() }, "done: by hand", UndoStatus::Done),
    ] {
        let mut trip = abandoned();
        trip.undone("charge", failed(false));
        trip.undone("book", Outcome::Succeeded);
        trip.operate(act);
        let line = trip.saga.timeline.iter().find(|entry| entry.what == "operator").expect("a line");
        assert_eq!((line.detail.as_deref(), trip.undo("charge")), (Some(detail), status));
    }
}
