//! The saga `refund`: gives money back through a payment's gateway, once.

use std::sync::LazyLock;

use backbone::saga::{Action, Answer as StepAnswer, Definition, Moment, Outcome, Saga, Step};
use backbone::{Refusal, Workspace};
use kernel::{Duration, PaymentId, RefundId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::charge::Reply;
use crate::commands::carry_out;
use crate::domain::Command;
use crate::ports::Answer;

/// So often a gateway may be unreachable before the refund has failed: order tries again.
const UNREACHABLE_MAX: u32 = 3;
const CALL_LIMIT: Duration = Duration::from_secs(15);
const RETRIES: &[Duration] = &[Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

const GATEWAY: &str = "gateway";
const RECORD: &str = "record";

/// The saga.
pub enum RefundSaga {}

/// What the saga remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    payment_id: PaymentId,
    refund_id: RefundId,
    key: String,
    at: Timestamp,
    unreachable: u32,
    /// A call went unanswered, so the gateway may have given the money back.
    doubtful: bool,
    answer: Option<Answer>,
}

/// A question to the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The payment: its gateway and reference stand with it.
    pub payment_id: PaymentId,
    /// The refund: how much stands with it.
    pub refund_id: RefundId,
    /// The idempotency key.
    pub key: String,
    /// Only ask what became of it.
    pub ask: bool,
    /// When it was decided: one from before this process began is asked for before it is repeated.
    pub at: Timestamp,
}

/// What the saga changes here.
#[derive(Debug)]
pub enum Effect {
    /// Record what became of it.
    Record,
}

impl Data {
    fn call(&self, ask: bool, at: Timestamp) -> Vec<Action<RefundSaga>> {
        let (payment_id, refund_id, key) = (self.payment_id, self.refund_id, self.key.clone());
        vec![Action::Call(Call { payment_id, refund_id, key, ask, at })]
    }

    fn begin(&mut self, moment: Moment) -> Vec<Action<RefundSaga>> {
        self.call(false, if moment.attempt > 1 { moment.now } else { self.at })
    }

    fn record(&mut self, _: Moment) -> Vec<Action<RefundSaga>> {
        vec![Action::Effect(Effect::Record), Action::Finish(Outcome::Succeeded)]
    }

    fn unreachable(&mut self, reason: &str) -> Outcome {
        self.unreachable += 1;
        if self.doubtful || self.unreachable < UNREACHABLE_MAX {
            return Outcome::Failed { reason: reason.to_owned(), retryable: true };
        }
        self.answer = Some(Answer::Declined {
            code: "gateway-unreachable".to_owned(),
            message: "the gateway cannot be reached".to_owned(),
            retryable: true,
        });
        Outcome::Succeeded
    }
}

impl Saga for RefundSaga {
    const NAME: &'static str = "refund";

    type Data = Data;
    type Effect = Effect;
    type Call = Call;
    type Reply = Reply;

    fn definition(version: u32) -> Option<&'static Definition<Self>> {
        static FIRST: LazyLock<Definition<RefundSaga>> = LazyLock::new(|| {
            let gateway = Step::retriable(GATEWAY, Data::begin).limit(CALL_LIMIT).retries(RETRIES).ask(
                |data, moment| {
                    data.doubtful = true;
                    data.call(true, moment.now)
                },
            );
            let steps = vec![gateway, Step::retriable(RECORD, Data::record)];
            Definition::build(steps).expect("two retriable steps are a saga")
        });
        (version == 1).then(|| &*FIRST)
    }

    fn absorb(data: &mut Data, reply: &Reply) -> StepAnswer {
        let outcome = match reply {
            Reply::Answered(answer) => {
                data.answer = Some(answer.clone());
                Outcome::Succeeded
            }
            Reply::Unheard => {
                Outcome::Failed { reason: "the refund never arrived".to_owned(), retryable: true }
            }
            Reply::Unreachable(reason) => data.unreachable(reason),
        };
        StepAnswer::to(GATEWAY, outcome)
    }

    fn effect(_: Uuid, effect: Effect, data: &Data, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
        let Effect::Record = effect;
        let Some(answer) = data.answer.clone() else { return Ok(()) };
        let (refund_id, key, at) = (data.refund_id, data.key.clone(), ws.now());
        carry_out(ws, data.payment_id, Command::RecordRefund { refund_id, key, answer, at }).map(drop)
    }
}

/// Starts giving money back.
pub fn start(
    ws: &mut Workspace<'_>,
    payment_id: PaymentId,
    refund_id: RefundId,
    key: String,
) -> Result<(), Refusal> {
    let (id, at) = (ws.uuid(), ws.now());
    let data = Data { payment_id, refund_id, key, at, unreachable: 0, doubtful: false, answer: None };
    ws.start_saga::<RefundSaga>(id, data)
}
