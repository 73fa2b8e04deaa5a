//! What is said to a saga: how a step ended, and what an operator wants.

use kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// How a step ended, or did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It took effect.
    Succeeded,
    /// So far so good: the next part of the step begins (`Moment::part`).
    Proceed,
    /// It needs somebody, at most until then.
    Waiting {
        /// The deadline.
        until: Timestamp,
    },
    /// It took no effect.
    Failed {
        /// Why.
        reason: String,
        /// Trying again may help.
        retryable: bool,
    },
    /// Nobody knows: it is asked for, or undone.
    Unknown,
    /// It took effect, but too late to be of use: everything is undone, itself included.
    Void {
        /// Why.
        reason: String,
    },
}

/// Which way a step was going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Doing.
    Forward,
    /// Undoing.
    Undo,
}

/// What a reply says about which step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The step.
    pub step: String,
    /// Which way it was going.
    pub direction: Direction,
    /// How it ended.
    pub outcome: Outcome,
}

impl Answer {
    /// An answer to doing `step`.
    pub fn to(step: &str, outcome: Outcome) -> Self {
        Self { step: step.to_owned(), direction: Direction::Forward, outcome }
    }

    /// An answer to undoing `step`.
    pub fn to_undo(step: &str, outcome: Outcome) -> Self {
        Self { step: step.to_owned(), direction: Direction::Undo, outcome }
    }
}

/// What an operator can do with a blocked saga.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "act")]
pub enum Operator {
    /// Try again what is blocked, with a fresh budget.
    Retry,
    /// Pass over what is blocked, with a reason.
    Skip {
        /// Why.
        reason: String,
    },
    /// It was done by hand.
    MarkDone {
        /// How.
        reason: String,
    },
    /// Give up going forward and undo, where that is still possible.
    Compensate {
        /// Why.
        reason: String,
    },
}

impl Operator {
    /// Its name in routes, answers and the audit.
    pub fn name(&self) -> &'static str {
        match self {
            Operator::Retry => "retry",
            Operator::Skip { .. } => "skip",
            Operator::MarkDone { .. } => "done",
            Operator::Compensate { .. } => "compensate",
        }
    }

    /// Why, where it must be said.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Operator::Retry => None,
            Operator::Skip { reason } | Operator::MarkDone { reason } | Operator::Compensate { reason } => {
                Some(reason)
            }
        }
    }
}
