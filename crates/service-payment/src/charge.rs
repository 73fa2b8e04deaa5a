//! The saga `charge`: intent committed, gateway called, outcome committed (services.md). One
//! instance for each thing wanted of a charge: make it, go on after 3-D Secure, call it off, or
//! learn what became of it. The payment itself says what follows.

use std::sync::LazyLock;

use backbone::saga::{Action, Answer as StepAnswer, Definition, Moment, Outcome, Saga, Step};
use backbone::{Refusal, Workspace};
use kernel::{Duration, PaymentId, SplitId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::commands::carry_out;
use crate::domain::Command;
use crate::ports::Answer;

/// So often a gateway may be unreachable before the attempt has failed: order tries again.
const UNREACHABLE_MAX: u32 = 3;
/// So often a charge may vanish on its way before its key is voided and the attempt has failed.
const VANISHED_MAX: u32 = 2;
/// How long one call may take before it is asked for.
const CALL_LIMIT: Duration = Duration::from_secs(15);
const RETRIES: &[Duration] = &[Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

const GATEWAY: &str = "gateway";
const RECORD: &str = "record";

/// The saga.
pub enum ChargeSaga {}

/// What is wanted of a charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Make it.
    Charge,
    /// Go on with what the customer's bank gave the customer.
    ThreeDs(String),
    /// Call it off.
    Void,
    /// Learn what became of it: a gateway hinted that something has.
    Ask,
}

/// What the saga remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    payment_id: PaymentId,
    key: String,
    task: Task,
    at: Timestamp,
    unreachable: u32,
    vanished: u32,
    /// A call went unanswered, so the gateway may have the charge.
    doubtful: bool,
    answer: Option<Answer>,
}

/// A question to the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The payment: token and amount stand with it.
    pub payment_id: PaymentId,
    /// The idempotency key.
    pub key: String,
    /// What is wanted.
    pub task: Task,
    /// When it was decided: one from before this process began is asked for before it is repeated.
    pub at: Timestamp,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// The gateway's answer.
    Answered(Answer),
    /// The gateway never heard of the key.
    Unheard,
    /// The gateway could not be reached; nothing happened.
    Unreachable(String),
}

/// What the saga changes here.
#[derive(Debug)]
pub enum Effect {
    /// Record what became of it.
    Record,
}

impl Data {
    fn ask(&self, task: Task) -> Vec<Action<ChargeSaga>> {
        vec![Action::Call(Call { payment_id: self.payment_id, key: self.key.clone(), task, at: self.at })]
    }

    /// A charge that keeps vanishing, or that nobody can be asked about any more, is called off
    /// under its key before it counts as failed: should it arrive late, it is refused there.
    fn gives_up(&self) -> bool {
        self.task == Task::Charge && self.vanished >= VANISHED_MAX
    }

    fn call(&mut self, moment: Moment) -> Vec<Action<ChargeSaga>> {
        if moment.attempt > 1 {
            self.at = moment.now;
        }
        self.ask(if self.gives_up() { Task::Void } else { self.task.clone() })
    }

    fn record(&mut self, _: Moment) -> Vec<Action<ChargeSaga>> {
        vec![Action::Effect(Effect::Record), Action::Finish(Outcome::Succeeded)]
    }

    fn answered(&mut self, answer: Answer) -> Outcome {
        // Asked what became of it, the gateway waits for the customer still: what was to end that wait
        // never arrived.
        let ends_wait = matches!(self.task, Task::Void | Task::ThreeDs(_));
        if ends_wait && matches!(answer, Answer::ActionRequired { .. }) {
            let reason = "the gateway waits for the customer still".to_owned();
            return Outcome::Failed { reason, retryable: true };
        }
        self.answer = Some(match answer {
            Answer::Voided if self.gives_up() => declined("gateway-lost-it", "the charge never arrived"),
            other => other,
        });
        Outcome::Succeeded
    }

    fn unheard(&mut self) -> Outcome {
        match self.task {
            Task::Charge => {
                self.vanished += 1;
                Outcome::Failed { reason: "the charge never arrived".to_owned(), retryable: true }
            }
            Task::Void => self.answered(Answer::Voided),
            Task::Ask => Outcome::Succeeded,
            Task::ThreeDs(_) => self.answered(Answer::Declined {
                code: "three-ds-unknown".to_owned(),
                message: "the gateway does not know the charge any more".to_owned(),
                retryable: false,
            }),
        }
    }

    fn unreachable(&mut self, reason: &str) -> Outcome {
        self.unreachable += 1;
        if self.task == Task::Charge && !self.doubtful && self.unreachable >= UNREACHABLE_MAX {
            self.answer = Some(declined(UNREACHABLE, "the gateway cannot be reached"));
            return Outcome::Succeeded;
        }
        Outcome::Failed { reason: reason.to_owned(), retryable: true }
    }
}

/// The code of a charge that never reached its gateway.
const UNREACHABLE: &str = "gateway-unreachable";

fn declined(code: &str, message: &str) -> Answer {
    Answer::Declined { code: code.to_owned(), message: message.to_owned(), retryable: true }
}

impl Saga for ChargeSaga {
    const NAME: &'static str = "charge";

    type Data = Data;
    type Effect = Effect;
    type Call = Call;
    type Reply = Reply;

    fn definition(version: u32) -> Option<&'static Definition<Self>> {
        static FIRST: LazyLock<Definition<ChargeSaga>> = LazyLock::new(|| {
            // Both steps go forward only: whether money moves back is decided by order, and is
            // another saga. An answer that stays unknown is asked for until there is one.
            let gateway =
                Step::retriable(GATEWAY, Data::call).limit(CALL_LIMIT).retries(RETRIES).ask(|data, _| {
                    data.doubtful = true;
                    data.ask(Task::Ask)
                });
            let steps = vec![gateway, Step::retriable(RECORD, Data::record)];
            Definition::build(steps).expect("two retriable steps are a saga")
        });
        (version == 1).then(|| &*FIRST)
    }

    fn absorb(data: &mut Data, reply: &Reply) -> StepAnswer {
        let outcome = match reply {
            Reply::Answered(answer) => data.answered(answer.clone()),
            Reply::Unheard => data.unheard(),
            Reply::Unreachable(reason) => data.unreachable(reason),
        };
        StepAnswer::to(GATEWAY, outcome)
    }

    fn effect(_: Uuid, effect: Effect, data: &Data, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
        let Effect::Record = effect;
        let Some(answer) = data.answer.clone() else { return Ok(()) };
        let heard = !matches!(&answer, Answer::Declined { code, .. } if code == UNREACHABLE);
        let command = Command::Record {
            key: data.key.clone(),
            answer,
            heard,
            split_id: SplitId(ws.uuid()),
            at: ws.now(),
        };
        carry_out(ws, data.payment_id, command).map(drop)
    }
}

/// Starts what is wanted of a charge.
pub fn start(ws: &mut Workspace<'_>, payment_id: PaymentId, key: String, task: Task) -> Result<(), Refusal> {
    let (id, at) = (ws.uuid(), ws.now());
    let data = Data { payment_id, key, task, at, unreachable: 0, vanished: 0, doubtful: false, answer: None };
    ws.start_saga::<ChargeSaga>(id, data)
}
