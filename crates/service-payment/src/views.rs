//! What queries read: payments as people see them, the ledger's postings, balances, and the
//! methods checked for a customer.

use std::collections::BTreeMap;

use backbone::Document;
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use contracts::payment::MethodType;
use contracts::shared::Split;
use kernel::{CustomerId, Money, OrderId, PaymentId, Personal, RefundId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::State;
use crate::domain::account::Failure;
use crate::domain::payment::{Phase, Refunding};
use crate::domain::shares;

/// Where payments are read.
pub const PAYMENTS: Collection = Collection {
    name: "payments",
    columns: &[
        Column::indexed("order_id", ColumnKind::Uuid),
        Column::indexed("customer_id", ColumnKind::Uuid),
        Column::plain("amount", ColumnKind::Money),
        Column::indexed("status", ColumnKind::Text),
        Column::plain("requested_at", ColumnKind::Timestamp),
    ],
    children: &["splits"],
};

/// Where checked methods are kept until their order is delivered or off, or their person erased.
pub const CHECKED_METHODS: Collection = Collection { name: "checked_methods", columns: &[], children: &[] };

/// Where it stands whose methods are kept.
pub const PAYERS: Collection = Collection { name: "payers", columns: &[], children: &[] };

/// Where a payment stands, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The gateway is being asked.
    Processing,
    /// Waits for the customer's answer to their bank.
    AwaitingCustomer,
    /// Waits for a transfer.
    AwaitingTransfer,
    /// Being called off.
    Voiding,
    /// The money was taken.
    Succeeded,
    /// Part of the money went back.
    PartlyRefunded,
    /// All of the money went back.
    Refunded,
    /// The last attempt failed.
    Failed,
    /// Called off.
    Voided,
}

impl Status {
    fn of(state: &State) -> Self {
        let left: i64 = state.left.iter().map(|part| part.amount.amount).sum();
        match state.phase {
            Phase::New | Phase::Processing => Status::Processing,
            Phase::AwaitingCustomer => Status::AwaitingCustomer,
            Phase::AwaitingTransfer => Status::AwaitingTransfer,
            Phase::Voiding => Status::Voiding,
            Phase::Failed => Status::Failed,
            Phase::Voided => Status::Voided,
            Phase::Succeeded => match state.terms.as_ref().map(|terms| terms.amount.amount) {
                Some(amount) if left == amount => Status::Succeeded,
                _ if left == 0 => Status::Refunded,
                _ => Status::PartlyRefunded,
            },
        }
    }

    fn name(self) -> &'static str {
        match self {
            Status::Processing => "processing",
            Status::AwaitingCustomer => "awaiting-customer",
            Status::AwaitingTransfer => "awaiting-transfer",
            Status::Voiding => "voiding",
            Status::Succeeded => "succeeded",
            Status::PartlyRefunded => "partly-refunded",
            Status::Refunded => "refunded",
            Status::Failed => "failed",
            Status::Voided => "voided",
        }
    }
}

/// Where the customer is sent, and until when an answer counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Challenge {
    /// The bank's page.
    pub url: String,
    /// Proves that an answer belongs to this question.
    pub token: String,
    /// The deadline.
    pub until: Timestamp,
}

/// A payment as it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentView {
    /// The charge.
    pub payment_id: PaymentId,
    /// The order.
    pub order_id: OrderId,
    /// Who pays.
    pub customer_id: CustomerId,
    /// Where it stands.
    pub status: Status,
    /// How much; none where every request was refused.
    pub amount: Option<Money>,
    /// How.
    pub method_type: Option<MethodType>,
    /// The gateway.
    pub gateway: Option<String>,
    /// The gateway's idempotency key of the latest attempt group.
    pub key: Option<String>,
    /// The gateway's token of the method, as long as the outcome is open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<Personal<String>>,
    /// The latest attempt, from 1.
    pub attempt: u32,
    /// The bank's question to the customer.
    pub challenge: Option<Challenge>,
    /// Why the latest attempt failed.
    pub failure: Option<Failure>,
    /// The gateway's reference.
    pub transaction: Option<String>,
    /// Who gets what of the money that was taken: sums to the amount.
    pub splits: Vec<Split>,
    /// Who has what left of it, refunds taken off.
    pub left: Vec<Split>,
    /// What went back or is about to.
    pub refunds: BTreeMap<RefundId, Refunding>,
    /// The artisans' and carriers' shares are payable.
    pub payable: bool,
    /// When it was first asked for.
    pub requested_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl PaymentView {
    /// What is seen of a payment; nothing before the first request.
    pub fn of(_: &str, state: &State) -> Option<Self> {
        let identity = state.identity?;
        let terms = state.terms.as_ref();
        let taken = terms.filter(|_| state.transaction.is_some());
        let challenge = state.waiting.as_ref().filter(|_| state.phase == Phase::AwaitingCustomer);
        let challenge = challenge.and_then(|waiting| {
            let (url, token) = waiting.challenge.clone()?;
            Some(Challenge { url, token, until: waiting.until })
        });
        Some(Self {
            payment_id: identity.payment_id,
            order_id: identity.order_id,
            customer_id: identity.customer_id,
            status: Status::of(state),
            amount: terms.map(|terms| terms.amount),
            method_type: terms.map(|terms| terms.method_type),
            gateway: terms.map(|terms| terms.gateway.clone()),
            key: terms.map(|terms| terms.key.clone()),
            token: terms.filter(|_| state.phase.is_open()).map(|terms| terms.token.clone()),
            attempt: state.attempt,
            challenge,
            failure: state.failure.clone(),
            transaction: state.transaction.clone(),
            splits: taken.map(|terms| shares::published(&terms.parts, terms.amount)).unwrap_or_default(),
            left: taken.map(|terms| shares::published(&state.left, terms.amount)).unwrap_or_default(),
            refunds: state.refunds.clone(),
            payable: state.payable,
            requested_at: state.requested_at,
            updated_at: state.updated_at,
        })
    }
}

impl Document for PaymentView {
    const COLLECTION: &'static Collection = &PAYMENTS;
    const PERSONAL: &'static [&'static str] = &["token"];

    fn id(&self) -> String {
        self.payment_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![
            self.order_id.0.into(),
            self.customer_id.0.into(),
            self.amount.into(),
            self.status.name().into(),
            self.requested_at.into(),
        ]
    }

    fn person(&self) -> Option<Uuid> {
        Some(self.customer_id.0)
    }
}

/// The method that was checked for an order: what a request for its charge is resolved with. Kept by
/// order, so that no number of other orders pushes it out before a retry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckedMethod {
    /// The order.
    pub order_id: OrderId,
    /// Whose method it is.
    pub customer_id: CustomerId,
    /// The method as the customer named it.
    pub payment_method_id: String,
    /// The gateway's token.
    pub token: Personal<String>,
}

/// The orders for which a customer's methods are kept, so that they can be dropped with the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payer {
    /// Who.
    pub customer_id: CustomerId,
    /// Their orders that are under way.
    pub orders: Vec<OrderId>,
}

impl Document for Payer {
    const COLLECTION: &'static Collection = &PAYERS;

    fn id(&self) -> String {
        self.customer_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

impl CheckedMethod {
    /// The token, where it was checked under this name and can still be read.
    pub fn token(&self, payment_method_id: &str) -> Option<&str> {
        let token = self.token.known().filter(|_| self.payment_method_id == payment_method_id)?;
        Some(token.as_str())
    }
}

impl Document for CheckedMethod {
    const COLLECTION: &'static Collection = &CHECKED_METHODS;
    const PERSONAL: &'static [&'static str] = &["token"];

    fn id(&self) -> String {
        self.order_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }

    fn person(&self) -> Option<Uuid> {
        Some(self.customer_id.0)
    }
}
