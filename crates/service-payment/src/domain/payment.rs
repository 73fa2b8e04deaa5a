//! A payment: one charge for an order, the attempts at it, and what went back.

use backbone::{Aggregate, Announcements, Rejection};
use contracts::payment::MethodType;
use kernel::{CustomerId, Money, OrderId, PaymentId, Personal, RefundId, SplitId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use super::state::{Phase, RefundStatus, Refunding, State, Waiting};

use super::shares::{CommissionLine, Part};
use super::{account::Failure, decide, invoice::Sale, state};
use crate::ports::Answer;
use crate::views::PaymentView;

/// The aggregate.
pub enum Payment {}

/// What stays the same over all attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The charge.
    pub payment_id: PaymentId,
    /// The order.
    pub order_id: OrderId,
    /// Who pays.
    pub customer_id: CustomerId,
}

/// What an attempt group was accepted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// What it is for.
    pub identity: Identity,
    /// How much.
    pub amount: Money,
    /// The gateway's token of the method.
    pub token: Personal<String>,
    /// What kind of method it is.
    pub method_type: MethodType,
    /// The gateway.
    pub gateway: String,
    /// The attempt that opened the group, from 1.
    pub attempt: u32,
    /// The gateway's idempotency key: one per order and attempt group.
    pub key: String,
    /// Who gets what.
    pub parts: Vec<Part>,
    /// The commission, frozen at the sale.
    pub commission: Vec<CommissionLine>,
    /// What each seller charges, for the invoices.
    pub sales: Vec<Sale>,
    /// How long the customer may take to answer their bank, or to send their transfer.
    pub wait_limit_seconds: u32,
    /// When.
    pub at: Timestamp,
}

/// Why a waiting payment is called off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoidCause {
    /// The order is off: nobody waits for an answer.
    Cancelled,
    /// The customer did not answer in time: order is told.
    Expired,
}

/// What happened to a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Event {
    /// A request was accepted and the gateway is to be called.
    Requested(Terms),
    /// A request was refused; the gateway never hears of it.
    Refused {
        /// What it was for.
        identity: Identity,
        /// Which attempt.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// When.
        at: Timestamp,
    },
    /// A further attempt was asked for while one was under way: its answer is that one's.
    Joined {
        /// Which attempt.
        attempt: u32,
    },
    /// The gateway has it.
    ProcessingStarted {
        /// When.
        at: Timestamp,
    },
    /// The customer's bank asks the customer.
    AwaitingCustomer {
        /// Where the customer is sent.
        url: String,
        /// Proves that an answer belongs to this question.
        token: String,
        /// The deadline.
        until: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// A transfer is on its way, or not.
    AwaitingTransfer {
        /// The deadline.
        until: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// The customer answered their bank; the gateway is asked to go on.
    ThreeDsAnswered {
        /// When.
        at: Timestamp,
    },
    /// It is being called off.
    VoidStarted {
        /// Why.
        cause: VoidCause,
        /// When.
        at: Timestamp,
    },
    /// The money was taken.
    Succeeded {
        /// The gateway's reference.
        transaction: String,
        /// The gateway.
        gateway: String,
        /// How much.
        amount: Money,
        /// The division.
        split_id: SplitId,
        /// Who gets what.
        parts: Vec<Part>,
        /// When.
        at: Timestamp,
    },
    /// An attempt failed; no money was taken.
    Failed {
        /// Why.
        failure: Failure,
        /// When.
        at: Timestamp,
    },
    /// It was called off; no money was taken.
    Voided {
        /// When.
        at: Timestamp,
    },
    /// Money is to go back.
    RefundStarted {
        /// The refund.
        refund_id: RefundId,
        /// The gateway's idempotency key.
        key: String,
        /// How much.
        amount: Money,
        /// When.
        at: Timestamp,
    },
    /// Money went back.
    RefundCompleted {
        /// The refund.
        refund_id: RefundId,
        /// The gateway's reference.
        reference: String,
        /// The gateway.
        gateway: String,
        /// How much.
        amount: Money,
        /// Whose shares it came out of.
        reversed: Vec<Part>,
        /// Those shares were payable already.
        payable: bool,
        /// When.
        at: Timestamp,
    },
    /// The gateway refused to give money back.
    RefundDeclined {
        /// The refund.
        refund_id: RefundId,
        /// Why.
        failure: Failure,
        /// When.
        at: Timestamp,
    },
    /// The customer can no longer withdraw: what is left of these shares is payable.
    BecamePayable {
        /// Whose.
        parts: Vec<Part>,
        /// When.
        at: Timestamp,
    },
}

/// What can be asked of a payment.
#[derive(Clone, Debug)]
pub enum Command {
    /// Accept a request.
    Request(Box<Terms>),
    /// Refuse a request.
    Refuse {
        /// What it was for.
        identity: Identity,
        /// Which attempt.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// When.
        at: Timestamp,
    },
    /// Take in a further attempt while one is under way.
    Join {
        /// Which attempt.
        attempt: u32,
    },
    /// Record what became of a key at the gateway.
    Record {
        /// The key.
        key: String,
        /// What became of it.
        answer: Answer,
        /// The gateway has the charge.
        heard: bool,
        /// The division, should it have succeeded.
        split_id: SplitId,
        /// When.
        at: Timestamp,
    },
    /// The customer answered their bank.
    AnswerThreeDs {
        /// When.
        at: Timestamp,
    },
    /// An operator saw the transfer on the account.
    ConfirmTransfer {
        /// The bank's reference.
        reference: String,
        /// The division.
        split_id: SplitId,
        /// When.
        at: Timestamp,
    },
    /// Call it off, where it waits.
    Void {
        /// Why.
        cause: VoidCause,
        /// When.
        at: Timestamp,
    },
    /// Give money back.
    StartRefund {
        /// The refund.
        refund_id: RefundId,
        /// The gateway's idempotency key.
        key: String,
        /// How much.
        amount: Money,
        /// When.
        at: Timestamp,
    },
    /// Record what became of a refund.
    RecordRefund {
        /// The refund.
        refund_id: RefundId,
        /// The key.
        key: String,
        /// What became of it.
        answer: Answer,
        /// When.
        at: Timestamp,
    },
    /// The withdrawal period is over.
    MakePayable {
        /// When.
        at: Timestamp,
    },
}

impl Aggregate for Payment {
    const NAME: &'static str = "payment";
    const PERSONAL: &'static [&'static str] = &["token"];

    type State = State;
    type Event = Event;
    type Command = Command;
    type View = PaymentView;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        decide::decide(state, command)
    }

    fn evolve(state: State, event: &Event) -> State {
        state::evolve(state, event)
    }

    fn event_name(event: &Event) -> &'static str {
        match event {
            Event::Requested(_) => "requested",
            Event::Refused { .. } => "refused",
            Event::Joined { .. } => "joined",
            Event::ProcessingStarted { .. } => "processing-started",
            Event::AwaitingCustomer { .. } => "awaiting-customer",
            Event::AwaitingTransfer { .. } => "awaiting-transfer",
            Event::ThreeDsAnswered { .. } => "three-ds-answered",
            Event::VoidStarted { .. } => "void-started",
            Event::Succeeded { .. } => "succeeded",
            Event::Failed { .. } => "failed",
            Event::Voided { .. } => "voided",
            Event::RefundStarted { .. } => "refund-started",
            Event::RefundCompleted { .. } => "refund-completed",
            Event::RefundDeclined { .. } => "refund-declined",
            Event::BecamePayable { .. } => "became-payable",
        }
    }

    fn announce(state: &State, event: &Event, out: &mut Announcements) {
        super::announce::announce(state, event, out);
    }

    fn view(id: &str, state: &State) -> Option<PaymentView> {
        PaymentView::of(id, state)
    }

    fn person(state: &State) -> Option<Uuid> {
        state.identity.map(|identity| identity.customer_id.0)
    }
}
