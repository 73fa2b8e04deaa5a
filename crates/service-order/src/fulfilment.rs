//! The order fulfilment saga: eight steps from a placed order to scheduled parcels. Steps 1–5
//! can be undone, the sixth is the point of no return, 7–8 only go forward.

use std::sync::LazyLock;

use backbone::saga::{Action, Answer, Definition, Moment, Outcome, Saga, Step, Undo};
use backbone::{Refusal, Workspace};
use contracts::calls::ValidatePayment;
use contracts::inventory::{Priority, ReleaseRequestReason};
use contracts::order::CancelledBy;
use contracts::payment::MethodType;
use kernel::{CustomerId, Duration, Money, OrderId, PaymentId, RefundId, ReservationId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::commands::act;
use crate::config::Policy;
use crate::domain::{Act, Cancel, Keep, Pay, Placed, RefundFor};

mod calls;

pub use calls::registration;

const VALIDATE_CUSTOMER: &str = "validate-customer";
const RESERVE_STOCK: &str = "reserve-stock";
const CALCULATE_PRICING: &str = "calculate-pricing";
const VALIDATE_PAYMENT: &str = "validate-payment";
const PROCESS_PAYMENT: &str = "process-payment";
const CONFIRM_ORDER: &str = "confirm-order";
const NOTIFY_PARTICIPANTS: &str = "notify-participants";
const SCHEDULE_DELIVERY: &str = "schedule-delivery";

/// The waits before a retry of what may be asked again.
pub(crate) const RETRIES: &[Duration] =
    &[Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How long refunds and releases may take to be answered.
pub(crate) const UNDO_LIMIT: Duration = Duration::from_secs(60);

/// How long shipping may take before the step is looked at again.
const SCHEDULE_LIMIT: Duration = Duration::from_secs(3_600);

/// The saga.
pub enum Fulfilment {}

/// What it remembers: ids and figures, nothing about the person.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "as in `Details`")]
pub struct Data {
    pub order_id: OrderId,
    pub customer_id: CustomerId,
    pub guest: bool,
    pub payment_method_id: String,
    pub amount: Money,
    pub reservation_id: ReservationId,
    pub payment_id: PaymentId,
    pub refund_id: RefundId,
    pub policy: Policy,
    pub priority: Priority,
    /// A transfer: may be waited for by days.
    pub transfer: bool,
    /// How long payment says that a charge may take.
    pub charge_limit_s: u64,
    /// Until when the current attempt may be answered.
    pub deadline: Option<Timestamp>,
    /// 0 until a charge was asked for: then there may be something to give back.
    pub attempt: u32,
    /// The order is seen to wait for its customer: without an answer it is their absence that
    /// ends it, not ours.
    pub awaits_customer: bool,
    /// Until when the stock is held.
    pub stock_until: Option<Timestamp>,
    /// The hold has ended.
    pub stock_gone: bool,
    /// Every parcel is scheduled, or none is wanted any more.
    pub scheduled: bool,
    /// Who or what calls the order off; nobody where infrastructure stayed down.
    pub cause: Option<CancelledBy>,
}

impl Data {
    /// What the saga of a new order remembers.
    pub fn new(placed: &Placed, payment_method_id: String, refund_id: RefundId, policy: Policy) -> Self {
        Self {
            order_id: placed.order_id,
            customer_id: placed.customer_id,
            guest: placed.guest,
            payment_method_id,
            amount: placed.total,
            reservation_id: placed.reservation_id,
            payment_id: placed.payment_id,
            refund_id,
            policy,
            priority: Priority::Normal,
            transfer: false,
            charge_limit_s: 0,
            deadline: None,
            attempt: 0,
            awaits_customer: false,
            stock_until: None,
            stock_gone: false,
            scheduled: false,
            cause: None,
        }
    }

    /// How long an attempt to charge may take: as long as payment waits for it, so that its answer
    /// comes first, but no longer than the policy allows.
    fn limit(&self) -> Duration {
        let most = if self.transfer { self.policy.transfer_s } else { self.policy.payment_s };
        Duration::from_secs(match self.charge_limit_s {
            0 => most,
            limit => limit.min(most),
        })
    }

    fn refused(&mut self, step: &str, by: CancelledBy, reason: String) -> Answer {
        self.cause = Some(by);
        Answer::to(step, Outcome::Failed { reason, retryable: false })
    }
}

/// What it changes here.
#[derive(Debug)]
#[allow(missing_docs, reason = "each is a command on the order")]
pub enum Effect {
    Reserve { until: Timestamp, priority: Priority },
    Extended { until: Timestamp },
    Charge { attempt: u32, deadline: Timestamp },
    Confirm,
    CallOff { reason: String, by: CancelledBy },
    GiveUp { reason: String },
    Refund,
    Release,
}

/// What it asks of others.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Call {
    /// May this customer buy?
    Standing {
        /// Who.
        customer_id: CustomerId,
    },
    /// Can this method pay this?
    Validate(ValidatePayment),
    /// Keep the hold past the payment's deadline.
    Extend {
        /// Which.
        reservation_id: ReservationId,
        /// Until when.
        until: Timestamp,
    },
}

/// What came back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "each is an answer of another service")]
pub enum Reply {
    Standing { may_order: bool, reason: Option<String>, priority: Priority },
    Reserved { until: Timestamp },
    NotReserved { reason: String },
    Validated { is_valid: bool, reason: Option<String>, method: MethodType, limit_s: u64 },
    Extended { until: Timestamp },
    NotExtended { reason: String },
    AwaitingCustomer,
    Paid { amount: Money, now: Timestamp, held: bool },
    NotPaid { reason: String, retryable: bool },
    Refunded,
    NotRefunded { reason: String, retryable: bool },
    Released,
    Scheduled,
}

static DEFINITION: LazyLock<Definition<Fulfilment>> = LazyLock::new(|| {
    let steps: Vec<Step<Fulfilment>> = vec![
        Step::compensatable(VALIDATE_CUSTOMER, validate_customer, Undo::nothing())
            .retries(RETRIES)
            .ask(validate_customer),
        // Without an answer the hold is given back: a release that overtakes it refuses it later.
        Step::compensatable(RESERVE_STOCK, reserve_stock, Undo::with(release_stock).limit(UNDO_LIMIT))
            .limit(UNDO_LIMIT),
        // The place for loyalty: points and coupon are held here, and given back by its undo.
        Step::compensatable(CALCULATE_PRICING, |_, _| done(), Undo::nothing()),
        Step::compensatable(VALIDATE_PAYMENT, validate_payment, Undo::nothing())
            .retries(RETRIES)
            .ask(validate_payment),
        Step::compensatable(PROCESS_PAYMENT, process_payment, Undo::with(refund).limit(UNDO_LIMIT))
            .retries(RETRIES),
        Step::pivot(CONFIRM_ORDER, |_, _| {
            vec![Action::Effect(Effect::Confirm), Action::Finish(Outcome::Succeeded)]
        }),
        // Done when order.confirmed is durable, which is when this step is: notification reacts.
        Step::retriable(NOTIFY_PARTICIPANTS, |_, _| done()),
        Step::retriable(SCHEDULE_DELIVERY, schedule_delivery).limit(SCHEDULE_LIMIT),
    ];
    Definition::build(steps)
        .expect("the steps stand in a possible order")
        .on_abandon(abandon)
        // A saga that has ended stays as a tombstone, without what it paid with.
        .on_end(|data: &mut Data, _| {
            data.payment_method_id.clear();
            Vec::new()
        })
});

fn done() -> Vec<Action<Fulfilment>> {
    vec![Action::Finish(Outcome::Succeeded)]
}

fn validate_customer(data: &mut Data, _: Moment) -> Vec<Action<Fulfilment>> {
    // A guest's address and email were checked with the request.
    if data.guest {
        return done();
    }
    vec![Action::Call(Call::Standing { customer_id: data.customer_id })]
}

fn reserve_stock(data: &mut Data, moment: Moment) -> Vec<Action<Fulfilment>> {
    let until = moment.now.plus(Duration::from_secs(data.policy.reservation_s));
    vec![Action::Effect(Effect::Reserve { until, priority: data.priority })]
}

fn release_stock(_: &mut Data, _: Moment) -> Vec<Action<Fulfilment>> {
    vec![Action::Effect(Effect::Release)]
}

fn validate_payment(data: &mut Data, _: Moment) -> Vec<Action<Fulfilment>> {
    vec![Action::Call(Call::Validate(ValidatePayment {
        order_id: data.order_id,
        customer_id: data.customer_id,
        payment_method_id: data.payment_method_id.clone(),
        amount: data.amount,
    }))]
}

/// First the stock is kept past the payment's deadline, then the charge is asked for: a payment
/// that succeeds in time always finds its stock.
fn process_payment(data: &mut Data, moment: Moment) -> Vec<Action<Fulfilment>> {
    if moment.part == 0 {
        data.cause = None;
        let deadline = moment.now.plus(data.limit());
        data.deadline = Some(deadline);
        let until = deadline.plus(Duration::from_secs(data.policy.margin_s));
        return vec![Action::Call(Call::Extend { reservation_id: data.reservation_id, until })];
    }
    data.attempt = moment.attempt;
    let deadline = data.deadline.unwrap_or(moment.now);
    let mut actions = vec![Action::Effect(Effect::Charge { attempt: moment.attempt, deadline })];
    if let Some(until) = data.stock_until {
        actions.insert(0, Action::Effect(Effect::Extended { until }));
    }
    actions.push(Action::Finish(Outcome::Waiting { until: deadline }));
    actions
}

fn refund(data: &mut Data, _: Moment) -> Vec<Action<Fulfilment>> {
    if data.attempt == 0 {
        return done();
    }
    vec![Action::Effect(Effect::Refund)]
}

/// Shipping reacts to order.confirmed; there is nothing to ask again.
fn schedule_delivery(data: &mut Data, _: Moment) -> Vec<Action<Fulfilment>> {
    if data.scheduled { done() } else { Vec::new() }
}

/// The decision, told at once: from here on requests for the order are refused everywhere.
fn abandon(data: &mut Data, reason: &str) -> Vec<Effect> {
    let waited = data.cause.is_none() && data.awaits_customer;
    vec![match data.cause {
        Some(by) => Effect::CallOff { reason: reason.to_owned(), by },
        None if waited => {
            let reason = "the payment was not completed in time".to_owned();
            Effect::CallOff { reason, by: CancelledBy::PaymentFailure }
        }
        None => Effect::GiveUp { reason: reason.to_owned() },
    }]
}

impl Saga for Fulfilment {
    const NAME: &'static str = "order-fulfilment";

    type Data = Data;
    type Effect = Effect;
    type Call = Call;
    type Reply = Reply;

    fn definition(version: u32) -> Option<&'static Definition<Self>> {
        (version == Self::VERSION).then(|| &*DEFINITION)
    }

    fn absorb(data: &mut Data, reply: &Reply) -> Answer {
        match reply.clone() {
            Reply::Standing { may_order: false, reason, .. } => {
                let reason = reason.unwrap_or_else(|| "the account cannot order".to_owned());
                data.refused(VALIDATE_CUSTOMER, CancelledBy::System, reason)
            }
            Reply::Standing { priority, .. } => {
                data.priority = priority;
                Answer::to(VALIDATE_CUSTOMER, Outcome::Succeeded)
            }
            Reply::Reserved { until } => {
                data.stock_until = Some(until);
                Answer::to(RESERVE_STOCK, Outcome::Succeeded)
            }
            Reply::NotReserved { reason } => data.refused(RESERVE_STOCK, CancelledBy::System, reason),
            Reply::Validated { is_valid: false, reason, .. } => {
                let reason = reason.unwrap_or_else(|| "the payment method was refused".to_owned());
                data.refused(VALIDATE_PAYMENT, CancelledBy::PaymentFailure, reason)
            }
            Reply::Validated { method, limit_s, .. } => {
                data.transfer = method == MethodType::Transfer;
                data.charge_limit_s = limit_s;
                Answer::to(VALIDATE_PAYMENT, Outcome::Succeeded)
            }
            Reply::Extended { until } => {
                data.stock_until = Some(until);
                Answer::to(PROCESS_PAYMENT, Outcome::Proceed)
            }
            Reply::NotExtended { reason } => data.refused(PROCESS_PAYMENT, CancelledBy::System, reason),
            Reply::Released => {
                data.stock_gone = true;
                Answer::to_undo(RESERVE_STOCK, Outcome::Succeeded)
            }
            Reply::Refunded => Answer::to_undo(PROCESS_PAYMENT, Outcome::Succeeded),
            Reply::NotRefunded { reason, retryable } => {
                Answer::to_undo(PROCESS_PAYMENT, Outcome::Failed { reason, retryable })
            }
            Reply::Scheduled => {
                data.scheduled = true;
                Answer::to(SCHEDULE_DELIVERY, Outcome::Succeeded)
            }
            paying => Answer::to(PROCESS_PAYMENT, paid(data, paying)),
        }
    }

    fn effect(_: Uuid, effect: Effect, data: &Data, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
        let wanted = match effect {
            Effect::Reserve { until, priority } => Act::Stock(Keep::Request { until, priority }),
            Effect::Extended { until } => Act::Stock(Keep::Extended { until }),
            Effect::Charge { attempt, deadline } => Act::Payment(Pay::Request {
                payment_id: data.payment_id,
                attempt,
                deadline,
                payment_method_id: data.payment_method_id.clone(),
            }),
            Effect::Confirm => Act::Confirm,
            Effect::CallOff { reason, by } => {
                Act::Cancel(Cancel::Now { reason, by, changed_by: "order".to_owned() })
            }
            Effect::GiveUp { reason } => Act::Cancel(Cancel::GiveUp { reason }),
            Effect::Refund => Act::Payment(Pay::Refund {
                refund_id: data.refund_id,
                purpose: RefundFor::Fulfilment,
                amount: data.amount,
                reason: "the order was called off".to_owned(),
            }),
            Effect::Release => Act::Stock(Keep::Release {
                reservation_id: data.reservation_id,
                reason: ReleaseRequestReason::OrderCancelled,
            }),
        };
        act(ws, data.order_id, wanted).map(drop)
    }
}

/// What an answer to the charge means. A success that finds no stock, or another amount, is none:
/// everything is undone, the payment included.
fn paid(data: &mut Data, reply: Reply) -> Outcome {
    match reply {
        Reply::Paid { amount, now, held } => {
            let late = data.stock_gone || !held || data.stock_until.is_none_or(|until| now > until);
            if late || amount != data.amount {
                data.cause = Some(CancelledBy::System);
                let what =
                    if late { "paid after the hold on stock had ended" } else { "another amount was paid" };
                return Outcome::Void { reason: what.to_owned() };
            }
            Outcome::Succeeded
        }
        Reply::NotPaid { reason, retryable } => {
            data.cause = Some(CancelledBy::PaymentFailure);
            Outcome::Failed { reason, retryable }
        }
        _ => {
            data.awaits_customer = true;
            data.deadline.map_or(Outcome::Unknown, |until| Outcome::Waiting { until })
        }
    }
}
