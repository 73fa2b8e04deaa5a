//! Sagas in the workspace, and what the engine knows of a saga without knowing its types.

use std::sync::Arc;

use futures::future::BoxFuture;
use kernel::ErrorKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::operating::{open_acts, refused};
use super::react::{Happening, instance, react};
use super::{
    Answer, AnyInstance, Direction, Instance, InstanceOf, Operator, Outcome, PendingCall, Phase, Saga,
};
use crate::outcome::{Refusal, Rejection};
use crate::timer::TimerHandler;
use crate::workspace::Workspace;

/// Why a call gave no reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallFailure {
    /// It certainly took no effect.
    Failed {
        /// Why.
        reason: String,
        /// Trying again may help.
        retryable: bool,
    },
    /// Nobody knows whether it took effect.
    Unknown {
        /// What happened.
        reason: String,
    },
}

impl CallFailure {
    fn outcome(&self) -> Outcome {
        match self {
            CallFailure::Failed { reason, retryable } => {
                Outcome::Failed { reason: reason.clone(), retryable: *retryable }
            }
            CallFailure::Unknown { .. } => Outcome::Unknown,
        }
    }
}

/// Names a call for ever: the idempotency key at the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallKey {
    /// Saga's name and id, step, direction, attempt, index.
    pub key: String,
    /// The business flow.
    pub correlation_id: String,
}

type Perform = Arc<dyn Fn(Value, CallKey) -> BoxFuture<'static, Result<Value, CallFailure>> + Send + Sync>;
type Replied = fn(Uuid, &str, &Result<Value, CallFailure>, &mut Workspace<'_>) -> Result<(), Refusal>;
type Operate = fn(Uuid, Operator, &mut Workspace<'_>) -> Result<Phase, Refusal>;

/// A saga as the engine sees it.
#[derive(Clone)]
pub struct SagaRegistration {
    /// Its name.
    pub name: &'static str,
    /// Its steps, in order.
    pub steps: Vec<&'static str>,
    /// Makes a call.
    pub perform: Perform,
    /// Takes in what a call gave.
    pub replied: Replied,
    /// Lets an operator act, and gives the phase that follows; a conflict where the act makes no
    /// sense just now.
    pub operate: Operate,
    /// The names of the acts that make sense just now.
    pub open_acts: fn(&AnyInstance) -> Vec<&'static str>,
    /// Its deadline.
    pub timer: TimerHandler,
}

/// The timer that a saga's deadlines use.
pub fn timer_name(saga: &str) -> String {
    format!("saga:{saga}")
}

impl SagaRegistration {
    /// Registers a saga with what makes its calls. `timer` is the constant `"saga:<NAME>"`.
    pub fn new<S: Saga>(
        timer: &'static str,
        perform: impl Fn(S::Call, CallKey) -> BoxFuture<'static, Result<S::Reply, CallFailure>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        debug_assert_eq!(timer, timer_name(S::NAME));
        let steps = S::definition(S::VERSION).map(super::Definition::step_names).unwrap_or_default();
        let perform = move |call: Value, key: CallKey| -> BoxFuture<'static, Result<Value, CallFailure>> {
            let call = match serde_json::from_value::<S::Call>(call) {
                Ok(call) => call,
                Err(e) => {
                    let reason = format!("the recorded call cannot be read: {e}");
                    return Box::pin(async { Err(CallFailure::Failed { reason, retryable: false }) });
                }
            };
            let reply = perform(call, key);
            Box::pin(async move {
                reply.await.map(|reply| serde_json::to_value(reply).expect("replies are JSON"))
            })
        };
        let timer = TimerHandler::new(timer, |timer, ws| {
            let id = Uuid::parse_str(&timer.key).map_err(|e| {
                Refusal::failed(ErrorKind::Permanent, format!("timer key {}: {e}", timer.key))
            })?;
            ws.happen::<S>(id, Happening::Deadline(timer.generation)).map(drop)
        });
        Self {
            name: S::NAME,
            steps,
            perform: Arc::new(perform),
            replied: replied::<S>,
            operate: |id, act, ws| {
                let Some(found) = ws.saga::<S>(id)? else {
                    return Err(Rejection::not_found("no-such-saga", "there is no such saga").into());
                };
                if let Some(rejection) = refused::<S, _, _>(&found, &act) {
                    return Err(rejection.into());
                }
                ws.settle::<S>(found.as_ref().clone(), Happening::Operator(act))?;
                Ok(ws.saga::<S>(id)?.map_or(found.phase, |operated| operated.phase))
            },
            open_acts: open_acts::<S, Value, Value>,
            timer,
        }
    }
}

fn replied<S: Saga>(
    id: Uuid,
    key: &str,
    result: &Result<Value, CallFailure>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let Some(found) = ws.saga::<S>(id)? else { return Ok(()) };
    let Some(call) = found.calls.iter().find(|call| call.key == key) else { return Ok(()) };
    let direction = if call.undo { Direction::Undo } else { Direction::Forward };
    match result {
        Ok(reply) => {
            let reply = serde_json::from_value::<S::Reply>(reply.clone())
                .map_err(|e| Refusal::failed(ErrorKind::Permanent, format!("reply to {key}: {e}")))?;
            let mut next = found.as_ref().clone();
            next.calls.retain(|call| call.key != key);
            let answer = S::absorb(&mut next.data, &reply);
            ws.settle::<S>(next, Happening::Answered(answer))
        }
        Err(failure) => {
            let step = call.step.clone();
            let mut next = found.as_ref().clone();
            next.calls.retain(|call| call.key != key);
            let outcome = failure.outcome();
            ws.settle::<S>(next, Happening::Answered(Answer { step, direction, outcome }))
        }
    }
}

impl Workspace<'_> {
    /// Starts a saga in this decision. Its id is new, or that of what it is about.
    pub fn start_saga<S: Saga>(&mut self, id: Uuid, data: S::Data) -> Result<(), Refusal> {
        let mut started = instance::<S>(id, &self.origin().correlation_id.clone(), data, self.now());
        started.traceparent = self.origin().traceparent.clone();
        self.create(started.clone());
        self.settle::<S>(started, Happening::Begin)
    }

    /// A saga's instance.
    pub fn saga<S: Saga>(&mut self, id: Uuid) -> Result<Option<Arc<InstanceOf<S>>>, Refusal> {
        self.get::<InstanceOf<S>>(Instance::<S::Data, S::Call>::key(S::NAME, id))
    }

    /// Gives a saga a reply that came as an event. False where there is no such saga.
    pub fn reply_to_saga<S: Saga>(&mut self, id: Uuid, reply: &S::Reply) -> Result<bool, Refusal> {
        let Some(found) = self.saga::<S>(id)? else { return Ok(false) };
        let mut next = found.as_ref().clone();
        let answer = S::absorb(&mut next.data, reply);
        self.settle::<S>(next, Happening::Answered(answer)).map(|()| true)
    }

    /// Wants a saga undone: possible until its pivot has succeeded. False where there is none.
    pub fn abort_saga<S: Saga>(&mut self, id: Uuid, reason: &str) -> Result<bool, Refusal> {
        self.happen::<S>(id, Happening::Abort(reason.to_owned()))
    }

    pub(crate) fn happen<S: Saga>(&mut self, id: Uuid, happening: Happening) -> Result<bool, Refusal> {
        let Some(found) = self.saga::<S>(id)? else { return Ok(false) };
        self.settle::<S>(found.as_ref().clone(), happening).map(|()| true)
    }

    fn settle<S: Saga>(&mut self, mut next: InstanceOf<S>, happening: Happening) -> Result<(), Refusal> {
        let definition = S::definition(next.version).ok_or_else(|| {
            let message = format!("saga {} version {} is unknown to this program", S::NAME, next.version);
            Refusal::failed(ErrorKind::Transient, message)
        })?;
        self.continue_trace(next.traceparent.as_ref());
        let known: Vec<String> = next.calls.iter().map(|call| call.key.clone()).collect();
        let (id, due_before) = (next.id, next.due);
        let now = self.now();
        let effects = react::<S>(definition, &mut next, happening, now);
        for call in next.calls.iter().filter(|call| !known.contains(&call.key)) {
            self.call_later(PendingCall {
                saga: S::NAME,
                id,
                key: call.key.clone(),
                call: serde_json::to_value(&call.call).expect("calls are JSON"),
                correlation_id: next.correlation_id.clone(),
                traceparent: self.origin().traceparent.clone(),
            });
        }
        match next.due {
            Some(due) => self.set_timer(&timer_name(S::NAME), id, due, next.generation),
            None if due_before.is_some() => self.clear_timer(&timer_name(S::NAME), id),
            None => {}
        }
        let data = next.data.clone();
        self.put(next)?;
        for effect in effects {
            S::effect(id, effect, &data, self)?;
        }
        Ok(())
    }
}
