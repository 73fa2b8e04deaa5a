//! An order's money: the charge, the charges and refunds of changes, what goes back.

use backbone::Rejection;
use contracts::payment::MethodType;
use contracts::shared::OrderState;
use kernel::{Money, MoneyError, PaymentId, Personal, RefundId, Timestamp};

use super::details::Details;
use super::event::Event;
use super::parts::{ChangeStatus, Payment, PaymentStatus, RefundFor, RefundStatus};
use crate::error;

/// What can be asked, or is known, of money.
#[derive(Clone, Debug)]
pub enum Pay {
    /// The method was checked.
    Validated {
        /// What kind of method it is.
        method: MethodType,
        /// It can be charged.
        is_valid: bool,
        /// The customer's bank asks the customer.
        three_ds: bool,
    },
    /// Ask for a charge.
    Request {
        /// The order's payment, or a change's.
        payment_id: PaymentId,
        /// From 1.
        attempt: u32,
        /// Until when it may be answered.
        deadline: Timestamp,
        /// The gateway's token.
        payment_method_id: String,
    },
    /// Payment accepted the request.
    Initiated {
        /// Which.
        payment_id: PaymentId,
        /// How it is paid.
        method: MethodType,
    },
    /// The gateway has it.
    Processing {
        /// Which.
        payment_id: PaymentId,
        /// The gateway.
        gateway: String,
    },
    /// An attempt failed. Nothing where another attempt is under way.
    Failed {
        /// Which.
        payment_id: PaymentId,
        /// Which attempt.
        attempt: u32,
        /// Why, for programs.
        code: String,
        /// Why, readable.
        message: String,
        /// Another attempt may succeed.
        retryable: bool,
    },
    /// The money was taken. Recorded in every state: money is never forgotten.
    Taken {
        /// Which.
        payment_id: PaymentId,
        /// The gateway's reference.
        reference: String,
        /// The gateway.
        gateway: String,
        /// How much.
        amount: Money,
    },
    /// Ask for money to go back.
    Refund {
        /// Its id: the same one for the same money.
        refund_id: RefundId,
        /// What for.
        purpose: RefundFor,
        /// How much.
        amount: Money,
        /// Why.
        reason: String,
    },
    /// Money went back.
    Refunded {
        /// Which.
        refund_id: RefundId,
        /// How much.
        amount: Money,
        /// Why.
        reason: String,
    },
    /// A refund did not go through.
    RefundFailed {
        /// Which.
        refund_id: RefundId,
        /// Why.
        error: String,
        /// Trying again may help.
        retryable: bool,
    },
}

impl Details {
    /// The order's payment, or a change's.
    pub fn payment(&self, id: PaymentId) -> Option<&Payment> {
        let changes = self.changes.iter().map(|change| &change.payment);
        std::iter::once(&self.payment).chain(changes).find(|payment| payment.id == id)
    }

    /// What was taken and has not gone back.
    pub fn balance(&self) -> Result<Money, MoneyError> {
        let changes = self.changes.iter().map(|change| &change.payment);
        let payments = std::iter::once(&self.payment).chain(changes);
        let paid =
            payments.filter(|payment| payment.status == PaymentStatus::Paid).map(|payment| payment.amount);
        let back = self.refunds.iter().filter(|refund| refund.status == RefundStatus::Processed);
        let back = Money::sum(self.total.currency, back.map(|refund| refund.amount))?;
        Money::sum(self.total.currency, paid)?.minus(back)
    }

    /// A refund is asked for and not answered, or waits for an operator.
    pub fn is_refund_open(&self) -> bool {
        self.refunds.iter().any(|refund| refund.status != RefundStatus::Processed)
    }
}

pub(super) fn decide(order: &Details, act: Pay, at: Timestamp) -> Result<Vec<Event>, Rejection> {
    let event = match act {
        Pay::Validated { method, is_valid, three_ds } => {
            let awaits_customer = three_ds || method == MethodType::Transfer;
            Event::PaymentValidated { method, is_valid, awaits_customer, at }
        }
        Pay::Request { payment_id, attempt, deadline, payment_method_id } => {
            let amount = wanted(order, payment_id)?;
            let payment_method_id = Personal::Known(payment_method_id);
            Event::PaymentAsked { payment_id, attempt, amount, deadline, payment_method_id, at }
        }
        Pay::Initiated { payment_id, method } => Event::PaymentInitiated { payment_id, method, at },
        Pay::Processing { payment_id, gateway } => return Ok(processing(order, payment_id, gateway, at)),
        Pay::Failed { payment_id, attempt, code, message, retryable } => {
            let current = order.payment(payment_id).filter(|p| p.is_open() && p.attempt == attempt);
            if current.is_none() {
                return Ok(Vec::new());
            }
            Event::PaymentFailed { payment_id, attempt, code, message, retryable, at }
        }
        Pay::Taken { payment_id, reference, gateway, amount } => match order.payment(payment_id) {
            Some(payment) if payment.status == PaymentStatus::Paid => return Ok(Vec::new()),
            _ => Event::PaymentTaken { payment_id, reference, gateway, amount, at },
        },
        Pay::Refund { refund_id, purpose, amount, reason } => {
            Event::RefundAsked { refund_id, purpose, amount, reason, at }
        }
        Pay::Refunded { refund_id, amount, reason } => {
            let known = order.refunds.iter().find(|refund| refund.refund_id == refund_id);
            if known.is_some_and(|refund| refund.status == RefundStatus::Processed) {
                return Ok(Vec::new());
            }
            Event::RefundProcessed { refund_id, amount, reason, at }
        }
        Pay::RefundFailed { refund_id, error, retryable } => {
            Event::RefundFailed { refund_id, error, retryable, at }
        }
    };
    Ok(vec![event])
}

/// What a charge that is asked for now would be for.
fn wanted(order: &Details, payment_id: PaymentId) -> Result<Money, Rejection> {
    if order.payment.id == payment_id {
        return if order.is_pending() {
            Ok(order.payment.amount)
        } else {
            Err(error::wrong_state("charged", order.state))
        };
    }
    let change = order.changes.iter().find(|change| change.payment.id == payment_id);
    let change = change.filter(|change| change.status == ChangeStatus::Asked && !order.is_called_off());
    change.map(|change| change.payment.amount).ok_or_else(error::no_such_change)
}

fn processing(order: &Details, payment_id: PaymentId, gateway: String, at: Timestamp) -> Vec<Event> {
    let mut events = vec![Event::PaymentProcessing { payment_id, gateway, at }];
    let main = order.payment.id == payment_id && order.payment.awaits_customer;
    if main && order.state == OrderState::Pending {
        events.push(Event::AwaitingCustomer { from: order.state, at });
    }
    events
}
