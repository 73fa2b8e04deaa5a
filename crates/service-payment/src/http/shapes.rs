//! The bodies and queries of payment's routes.

use std::collections::BTreeMap;

use contracts::payment::MethodType;
use contracts::shared::Split;
use garde::Validate;
use kernel::{CustomerId, Money, OrderId, PaymentId, RefundId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bookkeeping::Balance;
use crate::domain::payment::RefundStatus;
use crate::views::{Challenge, PaymentView, Status};

/// Which order's payments are wanted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OfOrder {
    /// The order.
    pub order_id: OrderId,
}

/// Which page of a ledger is wanted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LedgerQuery {
    /// How many postings at most: 1 to 100, 20 where nothing is said.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// What a recipient is owed, and a page of postings, newest first.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerSheet<T> {
    /// One per currency.
    pub balances: Vec<Balance>,
    /// The postings.
    pub entries: Vec<T>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Money to give back.
#[derive(Clone, Debug, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[garde(allow_unvalidated)]
pub struct RefundPayment {
    /// How much; all that is left where nothing is said.
    pub amount: Option<Money>,
    /// Why: the customer reads it.
    #[garde(length(chars, min = 1, max = 500))]
    pub reason: String,
}

/// A refund that is under way.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundStarted {
    /// The refund.
    pub refund_id: RefundId,
    /// The payment.
    pub payment_id: PaymentId,
}

/// What the customer's bank answered.
#[derive(Clone, Debug, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AnswerThreeDs {
    /// What the bank gave the customer to bring back.
    #[garde(length(bytes, min = 1, max = 8192))]
    pub answer: String,
    /// The question's token; needed of whoever is not signed in.
    #[garde(length(bytes, max = 512))]
    pub token: Option<String>,
}

/// A transfer that arrived.
#[derive(Clone, Debug, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ConfirmTransfer {
    /// The bank's reference.
    #[garde(length(chars, min = 1, max = 100))]
    pub reference: String,
}

/// To whom full invoices are made out.
#[derive(Clone, Debug, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RequestInvoice {
    /// The name or company.
    #[garde(length(chars, min = 1, max = 200))]
    pub name: String,
    /// The tax number (NIF).
    #[garde(length(chars, min = 5, max = 20))]
    pub tax_id: String,
    /// The address, in one line.
    #[garde(length(chars, min = 5, max = 300))]
    pub address: String,
}

/// The invoices that were made out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestedInvoices {
    /// Their numbers.
    pub numbers: Vec<String>,
}

/// A gateway's hint. Whatever it says became of the charge, the gateway is asked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookNotice {
    /// Names the hint: a repeated one does nothing.
    pub id: String,
    /// The idempotency key that it is about.
    pub key: String,
}

/// A refund as it is seen.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundSheet {
    /// How much.
    pub amount: Money,
    /// How far.
    pub status: RefundStatus,
}

/// Why an attempt failed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureSheet {
    /// For programs.
    pub code: String,
    /// Readable.
    pub message: String,
    /// True where another attempt may succeed.
    pub retryable: bool,
}

/// A payment as it is seen: no token of a method, no key of a gateway.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentSheet {
    /// The charge.
    pub payment_id: PaymentId,
    /// The order.
    pub order_id: OrderId,
    /// Who pays.
    pub customer_id: CustomerId,
    /// Where it stands.
    pub status: Status,
    /// How much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// How.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method_type: Option<MethodType>,
    /// The gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// The latest attempt, from 1.
    pub attempt: u32,
    /// The bank's question to the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
    /// Why the latest attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureSheet>,
    /// The gateway's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// Who gets what of the money that was taken: sums to the amount.
    pub splits: Vec<Split>,
    /// Who has what left of it, refunds taken off.
    pub left: Vec<Split>,
    /// What went back or is about to, by refund.
    pub refunds: BTreeMap<RefundId, RefundSheet>,
    /// The artisans' and carriers' shares are payable.
    pub payable: bool,
    /// When it was first asked for.
    pub requested_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl From<PaymentView> for PaymentSheet {
    fn from(view: PaymentView) -> Self {
        let failure = view.failure.map(|failure| FailureSheet {
            code: failure.code,
            message: failure.message,
            retryable: failure.retryable,
        });
        let refunds = view.refunds.into_iter();
        let refunds = refunds.map(|(id, refund)| {
            let sheet = RefundSheet { amount: refund.amount, status: refund.status };
            (id, sheet)
        });
        Self {
            payment_id: view.payment_id,
            order_id: view.order_id,
            customer_id: view.customer_id,
            status: view.status,
            amount: view.amount,
            method_type: view.method_type,
            gateway: view.gateway,
            attempt: view.attempt,
            challenge: view.challenge,
            failure,
            transaction_id: view.transaction,
            splits: view.splits,
            left: view.left,
            refunds: refunds.collect(),
            payable: view.payable,
            requested_at: view.requested_at,
            updated_at: view.updated_at,
        }
    }
}
