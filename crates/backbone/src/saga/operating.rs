//! Whether what an operator wants of a saga can be done just now. `react` makes nothing of an act
//! that cannot; an operator is told why.

use super::{Instance, Operator, Phase, Saga, StepKind, UndoStatus};
use crate::outcome::Rejection;

/// What an operator can want, with a reason that says nothing yet.
const ACTS: fn() -> [Operator; 4] = || {
    let reason = String::new;
    [
        Operator::Retry,
        Operator::Skip { reason: reason() },
        Operator::MarkDone { reason: reason() },
        Operator::Compensate { reason: reason() },
    ]
};

/// Why an act makes no sense; `None` where it does.
pub(crate) fn refused<S: Saga, D, C>(saga: &Instance<D, C>, act: &Operator) -> Option<Rejection> {
    if saga.phase.is_final() {
        let message = format!("it has ended ({}): nothing is left to be done", saga.phase.name());
        return Some(Rejection::conflict("saga-ended", message));
    }
    let is_stuck = saga.undo.iter().any(|undo| undo.status == UndoStatus::Blocked);
    if !matches!(act, Operator::Compensate { .. }) {
        let message = "it is not blocked: it goes on by itself, and acts on its own deadline";
        let is_blocked = is_stuck || saga.phase == Phase::Blocked;
        return (!is_blocked).then(|| Rejection::conflict("saga-not-blocked", message));
    }
    if !saga.undo.is_empty() || saga.phase == Phase::Compensating {
        let message = "it is being undone already: retry, skip or mark as done what is blocked";
        return Some(Rejection::conflict("saga-undone-already", message));
    }
    let step = S::definition(saga.version).and_then(|definition| definition.steps.get(saga.step));
    let is_past = step.is_none_or(|step| step.kind == StepKind::Retriable);
    let message = "it is past its pivot: from here it only goes forward";
    is_past.then(|| Rejection::conflict("saga-past-its-pivot", message))
}

/// The names of the acts that make sense.
pub(crate) fn open_acts<S: Saga, D, C>(saga: &Instance<D, C>) -> Vec<&'static str> {
    ACTS().iter().filter(|act| refused::<S, D, C>(saga, act).is_none()).map(Operator::name).collect()
}
