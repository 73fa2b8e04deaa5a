//! The item change saga, between confirmation and dispatch: reserve the difference, charge or
//! refund the difference, change the items.

use std::sync::LazyLock;

use backbone::saga::{Action, Answer, Definition, Moment, Outcome, Saga, SagaRegistration, Step, Undo};
use backbone::{Refusal, Workspace};
use contracts::inventory::ReleaseRequestReason;
use contracts::payment::MethodType;
use kernel::{Duration, Money, OrderId, PaymentId, RefundId, ReservationId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cancellation::refund_failed;
use crate::commands::act;
use crate::config::Policy;
use crate::domain::{Act, Change, ChangeItems, Details, Keep, Pay, RefundFor};
use crate::fulfilment::{RETRIES, UNDO_LIMIT};

const RESERVE_DIFFERENCE: &str = "reserve-difference";
const CHARGE_DIFFERENCE: &str = "charge-difference";
const ACCEPT_CHANGE: &str = "accept-change";
const REFUND_DIFFERENCE: &str = "refund-difference";
const MODIFY_ITEMS: &str = "modify-items";

/// The saga.
pub enum ItemChange {}

/// What it remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "as in `Change`")]
pub struct Data {
    pub order_id: OrderId,
    pub change_id: Uuid,
    pub reservation_id: ReservationId,
    pub payment_id: PaymentId,
    pub payment_method_id: String,
    pub refund_id: RefundId,
    /// Pieces are added.
    pub reserves: bool,
    /// What is charged, 0 or more.
    pub charge: Money,
    /// What goes back, 0 or more.
    pub give_back: Money,
    pub policy: Policy,
    /// The order is paid by transfer: the difference may be waited for by days.
    #[serde(default)]
    pub transfer: bool,
    /// 0 until a charge was asked for.
    pub attempt: u32,
    /// Whether the money was taken; unknown while an answer is awaited.
    pub charged: Option<bool>,
    pub stock_gone: bool,
    /// The change was given up.
    pub dropped: bool,
    pub failures: u32,
}

impl Data {
    /// What the saga of a new change remembers.
    pub fn new(order: &Details, change: &Change, payment_method_id: String, policy: Policy) -> Self {
        Self {
            order_id: order.order_id,
            change_id: change.change_id,
            reservation_id: change.reservation_id,
            payment_id: change.payment.id,
            payment_method_id,
            refund_id: change.refund_id,
            reserves: !order.pieces_added(change).is_empty(),
            charge: change.payment.amount,
            give_back: change.give_back,
            policy,
            transfer: order.payment.method == Some(MethodType::Transfer),
            attempt: 0,
            charged: None,
            stock_gone: false,
            dropped: false,
            failures: 0,
        }
    }

    fn payment_limit(&self) -> Duration {
        Duration::from_secs(if self.transfer { self.policy.transfer_s } else { self.policy.payment_s })
    }
}

/// What it changes here.
#[derive(Debug)]
#[allow(missing_docs, reason = "each is a command on the order")]
pub enum Effect {
    Reserve { until: Timestamp },
    Release,
    Charge { attempt: u32, deadline: Timestamp },
    Refund { amount: Money },
    Accept,
    Apply,
    Drop { reason: String },
}

/// It asks nothing over REST.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Call {}

/// What came back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "each is an answer of another service")]
pub enum Reply {
    Reserved,
    NotReserved { reason: String },
    Released,
    Paid,
    NotPaid { reason: String, retryable: bool },
    Refunded,
    NotRefunded { reason: String, retryable: bool },
}

static DEFINITION: LazyLock<Definition<ItemChange>> = LazyLock::new(|| {
    let steps: Vec<Step<ItemChange>> = vec![
        Step::compensatable(RESERVE_DIFFERENCE, reserve, Undo::with(release).limit(UNDO_LIMIT))
            .limit(UNDO_LIMIT),
        Step::compensatable(CHARGE_DIFFERENCE, charge, Undo::with(give_charge_back).limit(UNDO_LIMIT))
            .retries(RETRIES),
        Step::pivot(ACCEPT_CHANGE, |_, _| now(Effect::Accept)),
        Step::retriable(REFUND_DIFFERENCE, refund).limit(UNDO_LIMIT),
        Step::retriable(MODIFY_ITEMS, |_, _| now(Effect::Apply)),
    ];
    Definition::build(steps).expect("the steps stand in a possible order").on_abandon(abandon).on_end(
        |data: &mut Data, _| {
            data.payment_method_id.clear();
            Vec::new()
        },
    )
});

fn abandon(data: &mut Data, reason: &str) -> Vec<Effect> {
    data.dropped = true;
    vec![Effect::Drop { reason: reason.to_owned() }]
}

fn now(effect: Effect) -> Vec<Action<ItemChange>> {
    vec![Action::Effect(effect), Action::Finish(Outcome::Succeeded)]
}

fn done() -> Vec<Action<ItemChange>> {
    vec![Action::Finish(Outcome::Succeeded)]
}

/// Held past the payment's last deadline from the start, so nothing needs to be extended.
fn reserve(data: &mut Data, moment: Moment) -> Vec<Action<ItemChange>> {
    if !data.reserves {
        return done();
    }
    let margin = Duration::from_secs(data.policy.margin_s + data.policy.reservation_s);
    let until = moment.now.plus(data.payment_limit() + margin);
    vec![Action::Effect(Effect::Reserve { until })]
}

fn release(data: &mut Data, _: Moment) -> Vec<Action<ItemChange>> {
    if data.reserves { vec![Action::Effect(Effect::Release)] } else { done() }
}

fn charge(data: &mut Data, moment: Moment) -> Vec<Action<ItemChange>> {
    if data.charge.is_zero() {
        return done();
    }
    data.attempt = moment.attempt;
    data.charged = None;
    let deadline = moment.now.plus(data.payment_limit());
    vec![
        Action::Effect(Effect::Charge { attempt: moment.attempt, deadline }),
        Action::Finish(Outcome::Waiting { until: deadline }),
    ]
}

/// Only what was taken goes back: the order has another payment, and a refund of money that was
/// never charged would come out of that one. So an open charge is waited for.
fn give_charge_back(data: &mut Data, moment: Moment) -> Vec<Action<ItemChange>> {
    match data.charged {
        _ if data.attempt == 0 => done(),
        Some(false) => done(),
        Some(true) => vec![Action::Effect(Effect::Refund { amount: data.charge })],
        None => {
            let until = moment.now.plus(data.payment_limit());
            vec![Action::Finish(Outcome::Waiting { until })]
        }
    }
}

/// What an answer to the charge means.
fn paid(data: &mut Data, taken: Result<(), (String, bool)>) -> Answer {
    data.charged = Some(taken.is_ok());
    match (taken, data.dropped) {
        (Ok(()), true) => {
            // Undoing is begun again, and now there is something to give back.
            let reason = "the difference was paid all the same".to_owned();
            Answer::to_undo(CHARGE_DIFFERENCE, Outcome::Failed { reason, retryable: true })
        }
        (Ok(()), false) if data.stock_gone => {
            let reason = "paid after the hold on stock had ended".to_owned();
            Answer::to(CHARGE_DIFFERENCE, Outcome::Void { reason })
        }
        (Ok(()), false) => Answer::to(CHARGE_DIFFERENCE, Outcome::Succeeded),
        (Err(_), true) => Answer::to_undo(CHARGE_DIFFERENCE, Outcome::Succeeded),
        (Err((reason, retryable)), false) => {
            Answer::to(CHARGE_DIFFERENCE, Outcome::Failed { reason, retryable })
        }
    }
}

fn refund(data: &mut Data, _: Moment) -> Vec<Action<ItemChange>> {
    if data.give_back.is_zero() {
        return done();
    }
    vec![Action::Effect(Effect::Refund { amount: data.give_back })]
}

impl Saga for ItemChange {
    const NAME: &'static str = "order-item-change";

    type Data = Data;
    type Effect = Effect;
    type Call = Call;
    type Reply = Reply;

    fn definition(version: u32) -> Option<&'static Definition<Self>> {
        (version == Self::VERSION).then(|| &*DEFINITION)
    }

    fn absorb(data: &mut Data, reply: &Reply) -> Answer {
        // Only one of charge and refund is more than zero: it says which step is answered.
        let charged = !data.charge.is_zero();
        match reply.clone() {
            Reply::Reserved => Answer::to(RESERVE_DIFFERENCE, Outcome::Succeeded),
            Reply::NotReserved { reason } => {
                Answer::to(RESERVE_DIFFERENCE, Outcome::Failed { reason, retryable: false })
            }
            Reply::Released => {
                data.stock_gone = true;
                Answer::to_undo(RESERVE_DIFFERENCE, Outcome::Succeeded)
            }
            Reply::Paid => paid(data, Ok(())),
            Reply::NotPaid { reason, retryable } => paid(data, Err((reason, retryable))),
            Reply::Refunded if charged => Answer::to_undo(CHARGE_DIFFERENCE, Outcome::Succeeded),
            Reply::Refunded => Answer::to(REFUND_DIFFERENCE, Outcome::Succeeded),
            Reply::NotRefunded { reason, retryable } if charged => {
                Answer::to_undo(CHARGE_DIFFERENCE, Outcome::Failed { reason, retryable })
            }
            Reply::NotRefunded { reason, retryable } => {
                Answer::to(REFUND_DIFFERENCE, refund_failed(&mut data.failures, reason, retryable))
            }
        }
    }

    fn effect(_: Uuid, effect: Effect, data: &Data, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
        let change_id = data.change_id;
        let wanted = match effect {
            Effect::Reserve { until } => Act::Change(ChangeItems::Reserve { change_id, until }),
            Effect::Release => Act::Stock(Keep::Release {
                reservation_id: data.reservation_id,
                reason: ReleaseRequestReason::OrderChanged,
            }),
            Effect::Charge { attempt, deadline } => Act::Payment(Pay::Request {
                payment_id: data.payment_id,
                attempt,
                deadline,
                payment_method_id: data.payment_method_id.clone(),
            }),
            Effect::Refund { amount } => Act::Payment(Pay::Refund {
                refund_id: data.refund_id,
                purpose: RefundFor::Change(change_id),
                amount,
                reason: "items of the order were changed".to_owned(),
            }),
            Effect::Accept => Act::Change(ChangeItems::Accept { change_id }),
            Effect::Apply => Act::Change(ChangeItems::Apply { change_id }),
            Effect::Drop { reason } => Act::Change(ChangeItems::Drop { change_id, reason }),
        };
        act(ws, data.order_id, wanted).map(drop)
    }
}

/// The saga.
pub fn registration() -> SagaRegistration {
    SagaRegistration::new::<ItemChange>("saga:order-item-change", |call, _| match call {})
}
