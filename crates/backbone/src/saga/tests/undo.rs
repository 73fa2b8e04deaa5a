//! Going back: in reverse, each answered before the next, with a budget of its own.

use super::*;

fn abandoned() -> Journey {
    let mut trip = Journey::charging();
    let effects = trip.happen(Happening::Abort("changed my mind".into()));
    assert_eq!(effects, [Effect::Abandon("changed my mind".into()), Effect::Refund]);
    trip
}

#[test]
fn what_was_done_is_undone_in_reverse_each_answered_before_the_next() {
    let mut trip = abandoned();
    assert_eq!(trip.calls(), [], "what was asked is no longer wanted");
    assert_eq!(trip.undo("book"), UndoStatus::Pending);
    assert_eq!(trip.undone("charge", Outcome::Succeeded), [Effect::Unbook]);
    assert_eq!(trip.undone("book", Outcome::Succeeded), [Effect::Ended(Phase::Compensated)]);
    assert_eq!((trip.saga.phase, trip.saga.due), (Phase::Compensated, None));
}

#[test]
fn after_the_pivot_nothing_is_undone() {
    let mut trip = Journey::sending();
    assert_eq!(trip.happen(Happening::Abort("too late".into())), []);
    assert_eq!(trip.operate(Operator::Compensate { reason: "too late".into() }), []);
    assert_eq!(trip.saga.phase, Phase::Running);
    assert!(trip.told("send").contains(&"abort refused"));
}

#[test]
fn a_saga_is_abandoned_once() {
    let mut trip = abandoned();
    assert_eq!(trip.happen(Happening::Abort("again".into())), []);
    assert_eq!(trip.saga.reason.as_deref(), Some("changed my mind"));
}

#[test]
fn an_operator_can_have_a_running_saga_undone() {
    let mut trip = Journey::charging();
    let effects = trip.operate(Operator::Compensate { reason: "fraud".into() });
    assert_eq!(effects, [Effect::Abandon("fraud".into()), Effect::Refund]);
}

#[test]
fn a_success_that_is_of_no_use_is_undone_with_everything() {
    let mut trip = Journey::charging();
    let effects = trip.answer("charge", Outcome::Void { reason: "too late".into() });
    assert_eq!(effects, [Effect::Abandon("too late".into()), Effect::Refund]);
}

#[test]
fn a_late_success_of_a_step_that_is_being_undone_changes_nothing() {
    let mut trip = abandoned();
    assert_eq!(trip.answer("charge", Outcome::Succeeded), []);
    assert_eq!((trip.saga.phase, trip.undo("charge")), (Phase::Compensating, UndoStatus::Running));
    assert_eq!(trip.told("charge").last(), Some(&"late answer"));
}

#[test]
fn an_undoing_that_fails_is_tried_again_with_a_growing_wait() {
    let mut trip = abandoned();
    trip.undone("charge", Outcome::Succeeded);
    for wait in [1, 2] {
        assert_eq!(trip.undone("book", failed(true)), []);
        assert_eq!((trip.undo("book"), trip.wait()), (UndoStatus::Retrying, wait));
        assert_eq!(trip.deadline(), [Effect::Unbook]);
    }
    trip.undone("book", failed(true));
    assert_eq!((trip.undo("book"), trip.saga.phase), (UndoStatus::Blocked, Phase::Blocked));
}

#[test]
fn an_undoing_without_an_answer_is_tried_again() {
    let mut trip = abandoned();
    assert_eq!(trip.wait(), 10);
    trip.deadline();
    assert_eq!(trip.undo("charge"), UndoStatus::Retrying);
    assert_eq!(trip.deadline(), [Effect::Refund]);
    assert_eq!(trip.undone("charge", Outcome::Succeeded), [Effect::Unbook]);
}

#[test]
fn an_undoing_may_take_longer_where_it_says_so() {
    let mut trip = abandoned();
    let until = trip.now.plus(Duration::from_secs(500));
    trip.undone("charge", Outcome::Waiting { until });
    assert_eq!((trip.undo("charge"), trip.saga.due), (UndoStatus::Running, Some(until)));
    assert_eq!(trip.undone("charge", Outcome::Succeeded), [Effect::Unbook]);
}

/// A trip whose refund needs an operator while the hotel is being given back.
fn blocked_in_part() -> Journey {
    let mut trip = abandoned();
    assert_eq!(trip.undone("charge", failed(false)), [Effect::Unbook], "the other goes on");
    assert_eq!((trip.undo("charge"), trip.undo("book")), (UndoStatus::Blocked, UndoStatus::Running));
    trip
}

#[test]
fn what_is_blocked_does_not_hold_up_the_rest_and_the_saga_waits_for_an_operator() {
    let mut trip = blocked_in_part();
    assert_eq!(trip.saga.phase, Phase::Compensating);
    assert_eq!(trip.undone("book", Outcome::Succeeded), []);
    assert_eq!((trip.saga.phase, trip.saga.due), (Phase::Blocked, None));
}

#[test]
fn an_operator_retries_skips_or_marks_done_what_is_blocked() {
    for (act, effects) in [
        (Operator::Retry, vec![Effect::Refund]),
        (Operator::Skip { reason: "written off".into() }, vec![Effect::Ended(Phase::Compensated)]),
        (Operator::MarkDone { reason: "by hand".into() }, vec![Effect::Ended(Phase::Compensated)]),
    ] {
        let mut trip = blocked_in_part();
        trip.undone("book", Outcome::Succeeded);
        assert_eq!(trip.operate(act.clone()), effects, "{act:?}");
        if act == Operator::Retry {
            assert_eq!(trip.saga.undo[0].attempts, 1, "a fresh budget");
            assert_eq!(trip.undone("charge", Outcome::Succeeded), [Effect::Ended(Phase::Compensated)]);
        }
    }
}

#[test]
fn a_retry_waits_its_turn_while_something_else_is_being_undone() {
    let mut trip = blocked_in_part();
    let due = trip.saga.due;
    assert_eq!(trip.operate(Operator::Retry), []);
    assert_eq!((trip.undo("charge"), trip.saga.due), (UndoStatus::Pending, due));
    assert_eq!(trip.undone("book", Outcome::Succeeded), [Effect::Refund]);
}

#[test]
fn an_answer_that_comes_while_it_is_blocked_settles_it() {
    let mut trip = blocked_in_part();
    assert_eq!(trip.undone("charge", Outcome::Succeeded), []);
    assert_eq!(trip.undone("book", Outcome::Succeeded), [Effect::Ended(Phase::Compensated)]);
}

#[test]
fn a_failure_of_what_is_not_being_undone_just_now_changes_nothing() {
    let mut trip = blocked_in_part();
    let due = trip.saga.due;
    assert_eq!(trip.undone("charge", failed(true)), []);
    assert_eq!((trip.undo("charge"), trip.saga.due), (UndoStatus::Blocked, due));
}

#[test]
fn what_is_found_undone_before_its_turn_is_not_undone_again_and_ends_nothing() {
    let mut trip = abandoned();
    assert_eq!(trip.undone("book", Outcome::Succeeded), []);
    assert_eq!(trip.saga.phase, Phase::Compensating, "the refund is still under way");
    assert_eq!(trip.undone("charge", Outcome::Succeeded), [Effect::Ended(Phase::Compensated)]);
}

#[test]
fn an_answer_to_an_undoing_that_nobody_asked_for_is_noted() {
    let mut trip = Journey::charging();
    assert_eq!(trip.undone("book", Outcome::Succeeded), []);
    assert_eq!(trip.told("undo:book"), ["late answer"]);
    assert_eq!(trip.saga.phase, Phase::Running);
}
