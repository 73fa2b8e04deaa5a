//! What an operator can set.

use std::collections::BTreeMap;

use kernel::{Duration, RecipientId};
use uuid::Uuid;

/// A text that prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// The platform's commission on goods, frozen in each payment when it is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommissionRates {
    /// For categories that have no rate of their own; basis points of the gross price.
    pub default_rate: u32,
    /// By the product's category; basis points of the gross price.
    pub by_category: BTreeMap<String, u32>,
    /// VAT on the commission itself; basis points.
    pub vat_rate: u32,
}

impl CommissionRates {
    /// The rate of a category.
    pub fn of(&self, category: &str) -> u32 {
        self.by_category.get(category).copied().unwrap_or(self.default_rate)
    }
}

/// The settings of payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Who gets the commission: the platform's account in the ledger.
    pub platform: RecipientId,
    /// The platform's commission.
    pub commission: CommissionRates,
    /// VAT on delivery, for its invoices; basis points.
    pub delivery_vat_rate: u32,
    /// How long a gateway may take, all told: the reservation is kept past it.
    pub charge_limit: Duration,
    /// How long the customer may take to answer their bank (3-D Secure).
    pub three_ds_limit: Duration,
    /// How long a transfer may take to arrive.
    pub transfer_limit: Duration,
    /// How long after delivery shares stay pending: 14 days (Directive 2011/83/EU, article 9).
    pub withdrawal_period: Duration,
    /// By gateway: the key of its webhooks' signatures. Without one its webhooks are refused.
    pub webhook_secrets: BTreeMap<String, Secret>,
}

const DAY: u64 = 24 * 60 * 60;

impl Default for Config {
    fn default() -> Self {
        Self {
            platform: RecipientId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_a4c0)),
            commission: CommissionRates {
                default_rate: 1_000,
                by_category: BTreeMap::new(),
                vat_rate: 2_100,
            },
            delivery_vat_rate: 2_100,
            charge_limit: Duration::from_secs(60),
            three_ds_limit: Duration::from_secs(10 * 60),
            transfer_limit: Duration::from_secs(3 * DAY),
            withdrawal_period: Duration::from_secs(14 * DAY),
            webhook_secrets: BTreeMap::new(),
        }
    }
}
