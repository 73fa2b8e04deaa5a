//! The steps of a saga, checked when it is built.

use kernel::Duration;

use super::{Begin, Saga, StepKind};
use crate::saga::Phase;

/// A step.
pub struct Step<S: Saga> {
    pub(crate) name: &'static str,
    pub(crate) kind: StepKind,
    pub(crate) begin: Begin<S>,
    pub(crate) limit: Duration,
    pub(crate) retries: &'static [Duration],
    pub(crate) ask: Option<Begin<S>>,
    pub(crate) undo: Option<Undo<S>>,
}

impl<S: Saga> Step<S> {
    fn new(name: &'static str, kind: StepKind, begin: Begin<S>) -> Self {
        Self { name, kind, begin, limit: Duration::from_secs(30), retries: &[], ask: None, undo: None }
    }

    /// A step that `undo` can take back.
    pub fn compensatable(name: &'static str, begin: Begin<S>, undo: Undo<S>) -> Self {
        Self { undo: Some(undo), ..Self::new(name, StepKind::Compensatable, begin) }
    }

    /// The point of no return.
    pub fn pivot(name: &'static str, begin: Begin<S>) -> Self {
        Self::new(name, StepKind::Pivot, begin)
    }

    /// A step that is repeated until it succeeds.
    pub fn retriable(name: &'static str, begin: Begin<S>) -> Self {
        Self::new(name, StepKind::Retriable, begin)
    }

    /// How long an answer may take before it is unknown.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Waits before each retry of a retryable failure; none without this.
    #[must_use]
    pub fn retries(mut self, retries: &'static [Duration]) -> Self {
        self.retries = retries;
        self
    }

    /// How to ask what became of it when its answer is unknown.
    #[must_use]
    pub fn ask(mut self, ask: Begin<S>) -> Self {
        self.ask = Some(ask);
        self
    }
}

/// How a step is taken back. Undoing must be idempotent and treat "nothing to undo" as success.
pub struct Undo<S: Saga> {
    pub(crate) begin: Option<Begin<S>>,
    pub(crate) limit: Duration,
    pub(crate) attempts_max: u32,
}

impl<S: Saga> Undo<S> {
    /// The step changes nothing.
    pub fn nothing() -> Self {
        Self { begin: None, limit: Duration::ZERO, attempts_max: 0 }
    }

    /// Begin undoing with this; 30 s for an answer, 8 attempts before an operator is needed.
    pub fn with(begin: Begin<S>) -> Self {
        Self { begin: Some(begin), limit: Duration::from_secs(30), attempts_max: 8 }
    }

    /// How long an answer may take.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// How often it is tried before an operator is needed.
    #[must_use]
    pub fn attempts_max(mut self, attempts_max: u32) -> Self {
        self.attempts_max = attempts_max;
        self
    }
}

/// What a saga does when its fate is decided.
pub type Turn<S> = fn(&mut <S as Saga>::Data, &str) -> Vec<<S as Saga>::Effect>;

/// What a saga does when it has ended.
pub type End<S> = fn(&mut <S as Saga>::Data, Phase) -> Vec<<S as Saga>::Effect>;

/// A checked list of steps.
pub struct Definition<S: Saga> {
    pub(crate) steps: Vec<Step<S>>,
    pub(crate) abandon: Turn<S>,
    pub(crate) ended: End<S>,
}

/// Why a list of steps is no saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// Nothing to do.
    #[error("saga {0} has no steps")]
    Empty(&'static str),
    /// After the pivot there is no way back, so what can be undone belongs before it.
    #[error(
        "saga {0}: step {1} is compensatable but stands after the pivot: move it before, or make it retriable"
    )]
    CompensatableAfterPivot(&'static str, &'static str),
    /// One point of no return.
    #[error("saga {0} has a second pivot, {1}: a saga has one point of no return")]
    SecondPivot(&'static str, &'static str),
    /// A step that is repeated until it succeeds cannot be taken back.
    #[error("saga {0}: step {1} is retriable but stands before the pivot {2}: it could not be undone")]
    RetriableBeforePivot(&'static str, &'static str, &'static str),
    /// Replies name their step.
    #[error("saga {0} has two steps called {1}")]
    NameTwice(&'static str, &'static str),
}

impl<S: Saga> Definition<S> {
    /// Checks a list of steps.
    pub fn build(steps: Vec<Step<S>>) -> Result<Self, DefinitionError> {
        if steps.is_empty() {
            return Err(DefinitionError::Empty(S::NAME));
        }
        let pivot = steps.iter().position(|step| step.kind == StepKind::Pivot);
        for (index, step) in steps.iter().enumerate() {
            if steps[..index].iter().any(|earlier| earlier.name == step.name) {
                return Err(DefinitionError::NameTwice(S::NAME, step.name));
            }
            match (step.kind, pivot) {
                (StepKind::Compensatable, Some(pivot)) if index > pivot => {
                    return Err(DefinitionError::CompensatableAfterPivot(S::NAME, step.name));
                }
                (StepKind::Retriable, Some(pivot)) if index < pivot => {
                    let pivot = steps[pivot].name;
                    return Err(DefinitionError::RetriableBeforePivot(S::NAME, step.name, pivot));
                }
                (StepKind::Pivot, Some(pivot)) if index > pivot => {
                    return Err(DefinitionError::SecondPivot(S::NAME, step.name));
                }
                _ => {}
            }
        }
        Ok(Self { steps, abandon: |_, _| Vec::new(), ended: |_, _| Vec::new() })
    }

    /// What is done at once, with the reason, when compensation is decided and before anything
    /// is undone.
    #[must_use]
    pub fn on_abandon(mut self, abandon: Turn<S>) -> Self {
        self.abandon = abandon;
        self
    }

    /// What is done when it has ended, one way or the other.
    #[must_use]
    pub fn on_end(mut self, ended: End<S>) -> Self {
        self.ended = ended;
        self
    }

    /// The names of the steps, in order.
    pub fn step_names(&self) -> Vec<&'static str> {
        self.steps.iter().map(|step| step.name).collect()
    }

    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.name == name)
    }
}
