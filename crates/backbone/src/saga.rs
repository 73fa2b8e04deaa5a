//! Sagas: long flows over several services, pure. A saga is a list of steps and a function from
//! replies to outcomes; `react` says what follows, the engine does it after the commit that
//! records it (reliability.md, rules 26–31).

use std::fmt::Debug;

use kernel::{Duration, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::outcome::Refusal;
use crate::workspace::Workspace;

mod answer;
mod definition;
mod instance;
mod operating;
mod react;
mod registration;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Direction, Operator, Outcome};
pub use definition::{Definition, DefinitionError, End, Step, Turn, Undo};
pub use instance::{
    AnyInstance, Entry, Instance, PendingCall, Phase, SAGAS, StepState, UndoState, UndoStatus,
};
pub use registration::{CallFailure, CallKey, SagaRegistration, timer_name};

/// A saga.
pub trait Saga: Sized + Send + Sync + 'static {
    /// Named for what it achieves: `order-fulfilment`.
    const NAME: &'static str;
    /// The version that new instances start on; running ones finish on theirs.
    const VERSION: u32 = 1;

    /// What it remembers. No personal data: refer to it by id.
    type Data: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static;
    /// What it changes here, in the commit of the transition.
    type Effect: Debug + Send + 'static;
    /// What it asks of the outside; recorded first, made after.
    type Call: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static;
    /// What came back: from a call, or as an event.
    type Reply: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static;

    /// The steps of a version; `None` for a version that this program does not know.
    fn definition(version: u32) -> Option<&'static Definition<Self>>;

    /// Takes in a reply and says which step it answers and how.
    fn absorb(data: &mut Self::Data, reply: &Self::Reply) -> Answer;

    /// Does an effect: commands on this service's aggregates, documents, public events.
    fn effect(
        id: Uuid,
        effect: Self::Effect,
        data: &Self::Data,
        ws: &mut Workspace<'_>,
    ) -> Result<(), Refusal>;
}

/// The instance type of a saga.
pub type InstanceOf<S> = Instance<<S as Saga>::Data, <S as Saga>::Call>;

/// What a step wants done.
#[derive(Debug)]
pub enum Action<S: Saga> {
    /// Change something here, in this commit.
    Effect(S::Effect),
    /// Ask the outside, after this commit.
    Call(S::Call),
    /// The step ends at once.
    Finish(Outcome),
}

/// When and for the how-manieth time a step begins.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Now, by the store's clock.
    pub now: Timestamp,
    /// The saga's id.
    pub id: Uuid,
    /// 1 the first time.
    pub attempt: u32,
    /// 0 when an attempt begins, and one more each time that the step proceeds.
    pub part: u32,
}

/// What a step does when it begins.
pub type Begin<S> = fn(&mut <S as Saga>::Data, Moment) -> Vec<Action<S>>;

/// Kinds of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Can be undone.
    Compensatable,
    /// The point of no return: after it the saga only goes forward.
    Pivot,
    /// Is repeated until it succeeds.
    Retriable,
}

/// The waits before retries of what only goes forward, or undoes; the last one repeats.
pub(crate) const FORWARD_BACKOFF: &[Duration] = &[
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(60),
];

/// The wait before attempt `attempt + 1` on `schedule`; past its end the last one.
pub(crate) fn wait_after(schedule: &[Duration], attempt: u32) -> Duration {
    let index = (attempt.max(1) - 1) as usize;
    schedule.get(index).or(schedule.last()).copied().unwrap_or(Duration::from_secs(1))
}
