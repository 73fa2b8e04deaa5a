//! Going forward: steps, retries, parts, held answers, deadlines.

use super::*;

#[test]
fn steps_follow_each_other_to_the_end() {
    let mut trip = Journey::sending();
    assert_eq!(trip.answer("send", Outcome::Succeeded), [Effect::Ended(Phase::Completed)]);
    assert_eq!((trip.saga.phase, trip.saga.due), (Phase::Completed, None));
    for step in ["book", "charge", "commit"] {
        assert_eq!(trip.told(step), ["started", "succeeded"], "{step}");
    }
    assert_eq!(trip.told("send"), ["started", "succeeded", "completed"]);
}

#[test]
fn a_retryable_failure_is_tried_again_on_schedule_and_then_compensated() {
    let mut trip = Journey::charging();
    for wait in [1, 2] {
        assert_eq!(trip.answer("charge", failed(true)), []);
        assert_eq!((trip.saga.state, trip.wait()), (StepState::Retrying, wait));
        assert_eq!(trip.calls(), [], "the failed call is over");
        trip.deadline();
        assert_eq!(trip.calls(), [Call::Charge]);
    }
    assert_eq!(trip.saga.data.begun, ["book 1.0", "charge 1.0", "charge 2.0", "charge 3.0"]);
    assert_eq!(trip.answer("charge", failed(true)), [Effect::Abandon("no".into()), Effect::Unbook]);
}

#[test]
fn a_failure_that_trying_again_does_not_help_is_compensated_at_once() {
    let mut trip = Journey::charging();
    assert_eq!(trip.answer("charge", failed(false)), [Effect::Abandon("no".into()), Effect::Unbook]);
    assert_eq!(trip.saga.undo.len(), 1, "the step that failed did nothing");
}

#[test]
fn an_unknown_answer_is_asked_for_and_then_undone_with_the_step_itself() {
    let mut trip = Journey::charging();
    trip.deadline();
    assert_eq!((trip.saga.state, trip.calls()), (StepState::Asking, vec![Call::Ask]));
    let effects = trip.deadline();
    assert_eq!(effects, [Effect::Abandon("charge: no answer".into()), Effect::Refund]);
    assert_eq!(trip.undo("book"), UndoStatus::Pending);
}

#[test]
fn an_answer_to_the_question_settles_the_step() {
    let mut trip = Journey::charging();
    trip.answer("charge", Outcome::Unknown);
    assert_eq!(trip.calls(), [Call::Ask]);
    assert_eq!(trip.answer("charge", Outcome::Succeeded), [Effect::Commit, Effect::Send]);
}

#[test]
fn a_step_that_is_not_asked_about_is_undone_when_its_answer_is_unknown() {
    let mut trip = Journey::begun();
    assert_eq!(trip.deadline(), [Effect::Abandon("book: no answer".into()), Effect::Unbook]);
}

#[test]
fn a_step_that_waits_keeps_its_call_and_its_own_deadline() {
    let mut trip = Journey::charging();
    let until = trip.now.plus(Duration::from_secs(900));
    trip.answer("charge", Outcome::Waiting { until });
    assert_eq!((trip.saga.state, trip.saga.due), (StepState::Waiting, Some(until)));
    assert_eq!(trip.calls(), [Call::Charge]);
    assert_eq!(trip.answer("charge", Outcome::Succeeded), [Effect::Commit, Effect::Send]);
}

#[test]
fn a_step_that_waited_too_long_is_unknown() {
    let mut trip = Journey::charging();
    let until = trip.now.plus(Duration::from_secs(900));
    trip.answer("charge", Outcome::Waiting { until });
    trip.deadline();
    assert_eq!(trip.saga.state, StepState::Asking);
}

#[test]
fn a_step_that_proceeds_begins_its_next_part_under_another_key() {
    let mut trip = Journey::charging();
    let first = trip.keys();
    trip.answer("charge", Outcome::Proceed);
    assert_eq!(trip.saga.data.begun.last().unwrap(), "charge 1.1");
    assert_eq!((trip.saga.attempt, trip.saga.part, trip.wait()), (1, 1, 30));
    assert_ne!(trip.keys(), first);
    trip.answer("charge", failed(true));
    trip.deadline();
    assert_eq!(trip.saga.data.begun.last().unwrap(), "charge 2.0", "a retry begins with the first part");
}

#[test]
fn keys_of_calls_name_saga_instance_step_direction_and_attempt() {
    let trip = Journey::charging();
    let nil = Uuid::nil();
    assert_eq!(trip.keys(), [format!("trip/{nil}/charge/do/1.0/0")]);
}

#[test]
fn answers_that_come_before_their_step_are_held() {
    let mut trip = Journey::begun();
    let until = trip.now.plus(Duration::from_secs(900));
    trip.answer("charge", Outcome::Waiting { until });
    trip.answer("charge", Outcome::Succeeded);
    assert_eq!(trip.saga.held.len(), 2);
    let effects = trip.answer("book", Outcome::Succeeded);
    assert_eq!(effects, [Effect::Commit, Effect::Send], "both counted, in order");
    assert!(trip.saga.held.is_empty());
    assert_eq!(trip.told("charge"), ["started", "waiting", "succeeded"]);
}

#[test]
fn a_held_answer_counts_for_one_attempt_only() {
    let mut trip = Journey::begun();
    trip.answer("charge", failed(true));
    trip.answer("charge", Outcome::Succeeded);
    trip.answer("book", Outcome::Succeeded);
    assert_eq!((trip.saga.state, trip.saga.held.len()), (StepState::Retrying, 1));
    assert_eq!(trip.deadline(), [Effect::Commit, Effect::Send]);
}

#[test]
fn answers_to_steps_that_are_over_or_unknown_are_noted_and_change_nothing() {
    let mut trip = Journey::charging();
    assert_eq!(trip.answer("book", failed(false)), []);
    assert_eq!(trip.answer("dance", Outcome::Succeeded), []);
    assert_eq!(trip.saga.step_name, "charge");
    assert_eq!(trip.told("book").last(), Some(&"late answer"));
    assert_eq!(trip.told("dance"), ["late answer"]);
}

#[test]
fn a_retriable_step_is_repeated_until_it_succeeds() {
    let mut trip = Journey::sending();
    for wait in [1, 2, 4, 8, 16, 60, 60] {
        trip.answer("send", failed(true));
        assert_eq!(trip.wait(), wait);
        assert_eq!(trip.deadline(), [Effect::Send]);
    }
    trip.deadline();
    assert_eq!(trip.saga.state, StepState::Retrying, "no answer is no end either");
    trip.deadline();
    assert_eq!(trip.answer("send", Outcome::Succeeded), [Effect::Ended(Phase::Completed)]);
}

#[test]
fn a_retriable_step_that_cannot_succeed_waits_for_an_operator() {
    for (act, effects) in [
        (Operator::Retry, vec![Effect::Send]),
        (Operator::Skip { reason: "late".into() }, vec![Effect::Ended(Phase::Completed)]),
        (Operator::MarkDone { reason: "by hand".into() }, vec![Effect::Ended(Phase::Completed)]),
    ] {
        let mut trip = Journey::sending();
        trip.answer("send", failed(false));
        assert_eq!((trip.saga.phase, trip.saga.due), (Phase::Blocked, None));
        assert_eq!(trip.operate(act.clone()), effects, "{act:?}");
    }
}

#[test]
fn an_answer_that_comes_while_it_is_blocked_ends_the_block() {
    let mut trip = Journey::sending();
    trip.answer("send", failed(false));
    assert_eq!(trip.answer("send", Outcome::Succeeded), [Effect::Ended(Phase::Completed)]);
}

#[test]
fn an_operator_changes_nothing_that_is_not_blocked() {
    for act in [Operator::Retry, Operator::Skip { reason: "?".into() }] {
        let mut trip = Journey::charging();
        assert_eq!(trip.operate(act), []);
        assert_eq!((trip.saga.step_name.as_str(), trip.saga.attempt), ("charge", 1));
    }
}

#[test]
fn a_timer_of_an_earlier_generation_does_nothing() {
    let mut trip = Journey::charging();
    let old = trip.saga.generation;
    trip.answer("charge", failed(true));
    trip.now = trip.now.plus(Duration::from_secs(3_600));
    assert_eq!(trip.happen(Happening::Deadline(old)), []);
    assert_eq!(trip.saga.state, StepState::Retrying);
    assert_eq!(trip.deadline(), []);
    assert_eq!(trip.saga.attempt, 2);
}

#[test]
fn a_timer_that_fires_early_or_after_the_end_does_nothing() {
    let mut trip = Journey::charging();
    let generation = trip.saga.generation;
    assert_eq!(trip.happen(Happening::Deadline(generation)), []);
    assert_eq!(trip.saga.state, StepState::Running);
    let mut trip = Journey::sending();
    trip.answer("send", Outcome::Succeeded);
    let generation = trip.saga.generation;
    assert_eq!(trip.happen(Happening::Deadline(generation)), []);
    assert_eq!(trip.saga.phase, Phase::Completed);
}
