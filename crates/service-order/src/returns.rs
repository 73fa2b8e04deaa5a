//! The return saga: received, inspected, refunded, back on stock. Until the goods are back it can
//! end with nothing; after that it only goes forward, because the customer has kept their part.

use std::sync::LazyLock;

use backbone::saga::{Action, Answer, Definition, Outcome, Saga, SagaRegistration, Step, Undo};
use backbone::{Refusal, Workspace};
use kernel::{Duration, Money, OrderId, RefundId, ReturnId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cancellation::refund_failed;
use crate::commands::act;
use crate::domain::{Act, Pay, RefundFor, SendBack};
use crate::fulfilment::UNDO_LIMIT;

const RECEIVE_GOODS: &str = "receive-goods";
const INSPECT_GOODS: &str = "inspect-goods";
const REFUND: &str = "refund";
const RETURN_STOCK: &str = "return-stock";

/// How long goods may lie before the step is looked at again: the law gives 14 days for the
/// refund (Directive 2011/83/EU, article 13).
const INSPECT_LIMIT: Duration = Duration::from_secs(7 * 86_400);

/// The saga.
pub enum OrderReturn {}

/// What it remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "as in `Return`")]
pub struct Data {
    pub order_id: OrderId,
    pub return_id: ReturnId,
    pub refund_id: RefundId,
    pub refund: Money,
    /// How long the goods may take to come back.
    pub limit_s: u64,
    /// How often the refund failed.
    pub failures: u32,
}

/// What it changes here.
#[derive(Debug)]
#[allow(missing_docs, reason = "each is a command on the order")]
pub enum Effect {
    Refund,
    Close,
    Drop { reason: String },
}

/// It asks nothing over REST.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Call {}

/// What came back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "each is an answer of a person or of another service")]
pub enum Reply {
    Received,
    Inspected { refund: Money },
    Refunded,
    NotRefunded { reason: String, retryable: bool },
}

static DEFINITION: LazyLock<Definition<OrderReturn>> = LazyLock::new(|| {
    let steps: Vec<Step<OrderReturn>> = vec![
        Step::compensatable(
            RECEIVE_GOODS,
            |data: &mut Data, moment| {
                let until = moment.now.plus(Duration::from_secs(data.limit_s));
                vec![Action::Finish(Outcome::Waiting { until })]
            },
            Undo::nothing(),
        ),
        Step::retriable(INSPECT_GOODS, |_, _| Vec::new()).limit(INSPECT_LIMIT),
        Step::retriable(REFUND, |data: &mut Data, _| {
            if data.refund.is_zero() {
                return vec![Action::Finish(Outcome::Succeeded)];
            }
            vec![Action::Effect(Effect::Refund)]
        })
        .limit(UNDO_LIMIT),
        // order.returned tells inventory what goes back on stock.
        Step::retriable(RETURN_STOCK, |_, _| {
            vec![Action::Effect(Effect::Close), Action::Finish(Outcome::Succeeded)]
        }),
    ];
    Definition::build(steps)
        .expect("the steps stand in a possible order")
        .on_abandon(|_, _| vec![Effect::Drop { reason: "the goods did not come back in time".to_owned() }])
});

impl Saga for OrderReturn {
    const NAME: &'static str = "order-return";

    type Data = Data;
    type Effect = Effect;
    type Call = Call;
    type Reply = Reply;

    fn definition(version: u32) -> Option<&'static Definition<Self>> {
        (version == Self::VERSION).then(|| &*DEFINITION)
    }

    fn absorb(data: &mut Data, reply: &Reply) -> Answer {
        match reply.clone() {
            Reply::Received => Answer::to(RECEIVE_GOODS, Outcome::Succeeded),
            Reply::Inspected { refund } => {
                data.refund = refund;
                Answer::to(INSPECT_GOODS, Outcome::Succeeded)
            }
            Reply::Refunded => Answer::to(REFUND, Outcome::Succeeded),
            Reply::NotRefunded { reason, retryable } => {
                Answer::to(REFUND, refund_failed(&mut data.failures, reason, retryable))
            }
        }
    }

    fn effect(_: Uuid, effect: Effect, data: &Data, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
        let return_id = data.return_id;
        let wanted = match effect {
            Effect::Refund => Act::Payment(Pay::Refund {
                refund_id: data.refund_id,
                purpose: RefundFor::Return(return_id),
                amount: data.refund,
                reason: "goods came back".to_owned(),
            }),
            Effect::Close => Act::Return(SendBack::Close { return_id }),
            Effect::Drop { reason } => Act::Return(SendBack::Drop { return_id, reason }),
        };
        act(ws, data.order_id, wanted).map(drop)
    }
}

/// The saga.
pub fn registration() -> SagaRegistration {
    SagaRegistration::new::<OrderReturn>("saga:order-return", |call, _| match call {})
}
