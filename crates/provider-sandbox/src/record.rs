//! What is remembered of a key, and the book of all keys.

use std::collections::HashMap;

use kernel::{Money, OrderId, PaymentId, Timestamp};
use serde::{Deserialize, Serialize};

/// What a key was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// To take money.
    Charge,
    /// To give money back.
    Refund,
}

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Money was taken or given back.
    Done,
    /// No money was moved; another key may do better.
    Failed,
    /// No money was moved, and none will be.
    Declined,
    /// The customer's bank is asking the customer.
    AwaitingCustomer,
    /// Called off.
    Voided,
}

/// A line of the memory. Of several with one key the last counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The idempotency key.
    pub key: String,
    /// What it was used for.
    pub operation: Operation,
    /// How it stands.
    pub standing: Standing,
    /// The method, for charges: what its script says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<String>,
    /// The key of the charge that a refund gives back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub charge_key: Option<String>,
    /// The order, for charges.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order_id: Option<OrderId>,
    /// The payment, for charges.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub payment_id: Option<PaymentId>,
    /// How much; none where an unknown key was called off.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amount: Option<Money>,
    /// When.
    pub at: Timestamp,
}

/// All that is remembered, by what is asked for.
#[derive(Clone, Debug, Default)]
pub struct Book {
    by_key: HashMap<String, Record>,
    /// Charges of an order that failed; refunds of a charge that failed.
    failures: HashMap<String, u32>,
}

impl Book {
    /// Takes in the next record.
    pub(crate) fn keep(&mut self, record: Record) {
        if record.standing == Standing::Failed {
            let subject = match record.operation {
                Operation::Charge => record.order_id.map(|order_id| order_id.to_string()),
                Operation::Refund => record.charge_key.clone(),
            };
            *self.failures.entry(subject.unwrap_or_default()).or_default() += 1;
        }
        self.by_key.insert(record.key.clone(), record);
    }

    /// How a key stands.
    pub fn of(&self, key: &str) -> Option<&Record> {
        self.by_key.get(key)
    }

    /// How often something about an order or a charge failed.
    pub(crate) fn failures(&self, subject: &str) -> u32 {
        self.failures.get(subject).copied().unwrap_or(0)
    }
}
