//! The cancellation saga, after confirmation: parcels are called off, participants are told, the
//! money goes back, the stock goes back. It only goes forward: what the customer was promised
//! (that the wish is looked at) is kept until it is settled.
//!
//! The same saga gives back money that arrives after an order was called off.

use std::sync::LazyLock;

use backbone::saga::{Action, Answer, Definition, Moment, Outcome, Saga, SagaRegistration, Step};
use backbone::{Refusal, Workspace};
use contracts::inventory::ReleaseRequestReason;
use contracts::order::CancelledBy;
use kernel::{ArtisanId, Money, OrderId, RefundId, ReservationId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::commands::{Wish, act, order};
use crate::domain::{Act, Cancel, Details, Keep, Pay, RefundFor, Ship};
use crate::fulfilment::{self, Fulfilment, UNDO_LIMIT};

const CANCEL_SHIPMENTS: &str = "cancel-shipments";
const TELL_PARTICIPANTS: &str = "tell-participants";
const REFUND: &str = "refund";
const RETURN_STOCK: &str = "return-stock";

/// How often a refund may fail before an operator is needed.
pub(crate) const REFUND_FAILURES_MAX: u32 = 8;

/// The saga.
pub enum Cancellation {}

/// What can still be called off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Everything.
    Whole,
    /// Only the parcels of these artisans: others have left.
    Parcels(Vec<ArtisanId>),
    /// Nothing: every parcel has left.
    Nothing,
    /// The order is called off already; only money is left to give back.
    Money,
}

/// What it remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "as in `Details`")]
pub struct Data {
    pub order_id: OrderId,
    pub refund_id: RefundId,
    pub reservation_id: ReservationId,
    pub scope: Scope,
    pub amount: Money,
    /// How often the refund failed.
    pub failures: u32,
}

impl Data {
    /// The cancellation of a confirmed order.
    pub fn of_order(order: &Details, refund_id: RefundId) -> Self {
        Self {
            order_id: order.order_id,
            refund_id,
            reservation_id: order.hold.id,
            scope: Scope::Whole,
            amount: Money::zero(order.total.currency),
            failures: 0,
        }
    }

    /// Money that arrived after the order was called off.
    pub fn of_late_money(order: &Details, refund_id: RefundId, owed: Money) -> Self {
        Self { scope: Scope::Money, amount: owed, ..Self::of_order(order, refund_id) }
    }
}

/// What it changes here.
#[derive(Debug)]
#[allow(missing_docs, reason = "each is a command on the order")]
pub enum Effect {
    CallOffShipments,
    Tell,
    Refund,
    ReturnStock,
}

/// It asks nothing over REST.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Call {}

/// What came back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "each is an answer of another service")]
pub enum Reply {
    ShipmentsCancelled { scope: Scope, amount: Money },
    Refunded,
    NotRefunded { reason: String, retryable: bool },
    Released,
}

static DEFINITION: LazyLock<Definition<Cancellation>> = LazyLock::new(|| {
    let steps: Vec<Step<Cancellation>> = vec![
        Step::retriable(CANCEL_SHIPMENTS, |data: &mut Data, _| match data.scope {
            Scope::Money => done(),
            _ => vec![Action::Effect(Effect::CallOffShipments)],
        })
        .limit(UNDO_LIMIT),
        Step::retriable(TELL_PARTICIPANTS, |data: &mut Data, _| match data.scope {
            Scope::Money => done(),
            _ => vec![Action::Effect(Effect::Tell), Action::Finish(Outcome::Succeeded)],
        }),
        Step::retriable(REFUND, refund).limit(UNDO_LIMIT),
        Step::retriable(RETURN_STOCK, |data: &mut Data, _| match data.scope {
            Scope::Whole => vec![Action::Effect(Effect::ReturnStock)],
            // Of single parcels order.items.modified tells inventory.
            _ => done(),
        })
        .limit(UNDO_LIMIT),
    ];
    Definition::build(steps).expect("the steps stand in a possible order")
});

fn done() -> Vec<Action<Cancellation>> {
    vec![Action::Finish(Outcome::Succeeded)]
}

fn refund(data: &mut Data, _: Moment) -> Vec<Action<Cancellation>> {
    if data.amount.amount <= 0 { done() } else { vec![Action::Effect(Effect::Refund)] }
}

/// A refund that fails is tried again, up to a limit: then an operator is needed.
pub(crate) fn refund_failed(failures: &mut u32, reason: String, retryable: bool) -> Outcome {
    *failures += 1;
    Outcome::Failed { reason, retryable: retryable && *failures < REFUND_FAILURES_MAX }
}

impl Saga for Cancellation {
    const NAME: &'static str = "order-cancellation";

    type Data = Data;
    type Effect = Effect;
    type Call = Call;
    type Reply = Reply;

    fn definition(version: u32) -> Option<&'static Definition<Self>> {
        (version == Self::VERSION).then(|| &*DEFINITION)
    }

    fn absorb(data: &mut Data, reply: &Reply) -> Answer {
        match reply.clone() {
            Reply::ShipmentsCancelled { scope, amount } => {
                data.scope = scope;
                data.amount = amount;
                Answer::to(CANCEL_SHIPMENTS, Outcome::Succeeded)
            }
            Reply::Refunded => Answer::to(REFUND, Outcome::Succeeded),
            Reply::NotRefunded { reason, retryable } => {
                Answer::to(REFUND, refund_failed(&mut data.failures, reason, retryable))
            }
            Reply::Released => Answer::to(RETURN_STOCK, Outcome::Succeeded),
        }
    }

    fn effect(_: Uuid, effect: Effect, data: &Data, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
        let wanted = match effect {
            Effect::CallOffShipments => {
                let wish = wish(data, ws)?;
                Act::Shipment(Ship::CallOff { reason: wish.reason })
            }
            Effect::Tell => return tell(data, ws),
            Effect::Refund => Act::Payment(Pay::Refund {
                refund_id: data.refund_id,
                purpose: RefundFor::Cancellation,
                amount: data.amount,
                reason: match data.scope {
                    Scope::Money => "paid after the order was called off".to_owned(),
                    _ => "the order was cancelled".to_owned(),
                },
            }),
            Effect::ReturnStock => Act::Stock(Keep::Release {
                reservation_id: data.reservation_id,
                reason: ReleaseRequestReason::OrderCancelled,
            }),
        };
        act(ws, data.order_id, wanted).map(drop)
    }
}

/// Who wants it, and why: the order knows; the saga repeats nobody's words.
fn wish(data: &Data, ws: &mut Workspace<'_>) -> Result<Wish, Refusal> {
    let cancelling = order(ws, data.order_id)?.cancelling;
    Ok(cancelling.map_or(
        Wish {
            reason: "the order was cancelled".to_owned(),
            by: CancelledBy::System,
            asked_by: "order".to_owned(),
        },
        |cancelling| Wish { reason: cancelling.reason, by: cancelling.by, asked_by: cancelling.asked_by },
    ))
}

fn tell(data: &Data, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let cancel = match &data.scope {
        Scope::Whole => {
            let Wish { reason, by, asked_by } = wish(data, ws)?;
            Cancel::Now { reason, by, changed_by: asked_by }
        }
        Scope::Parcels(artisans) => Cancel::DropParcels { artisans: artisans.clone() },
        Scope::Nothing | Scope::Money => {
            Cancel::Refuse { reason: "every parcel had left already".to_owned() }
        }
    };
    act(ws, data.order_id, Act::Cancel(cancel))?;
    if data.scope == Scope::Whole {
        // Nobody waits for parcels any more.
        ws.reply_to_saga::<Fulfilment>(data.order_id.0, &fulfilment::Reply::Scheduled)?;
    }
    Ok(())
}

/// The saga.
pub fn registration() -> SagaRegistration {
    SagaRegistration::new::<Cancellation>("saga:order-cancellation", |call, _| match call {})
}
