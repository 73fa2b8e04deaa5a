//! What an operator can set.

use std::collections::BTreeMap;

use garde::Validate;
use humantime_serde::re::humantime;
use kernel::{Duration, RecipientId, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The platform's commission on goods, frozen in each payment when it is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct CommissionRates {
    /// For categories that have no rate of their own; basis points of the gross price.
    #[garde(range(max = 10_000))]
    pub default_rate: u32,
    /// By the product's category; basis points of the gross price.
    #[garde(custom(are_rates))]
    pub by_category: BTreeMap<String, u32>,
    /// VAT on the commission itself; basis points.
    #[garde(range(max = 10_000))]
    pub vat_rate: u32,
}

impl CommissionRates {
    /// The rate of a category.
    pub fn of(&self, category: &str) -> u32 {
        self.by_category.get(category).copied().unwrap_or(self.default_rate)
    }
}

/// The settings of payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who gets the commission: the platform's account in the ledger.
    #[garde(skip)]
    pub platform: RecipientId,
    /// The platform's commission.
    #[garde(dive)]
    pub commission: CommissionRates,
    /// VAT on delivery, for its invoices; basis points.
    #[garde(range(max = 10_000))]
    pub delivery_vat_rate: u32,
    /// How long a gateway may take, all told: the reservation is kept past it.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    #[garde(custom(within(1, HOUR)))]
    pub charge_limit: Duration,
    /// How long the customer may take to answer their bank (3-D Secure).
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    #[garde(custom(within(MINUTE, DAY)))]
    pub three_ds_limit: Duration,
    /// How long a transfer may take to arrive.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    #[garde(custom(within(HOUR, 30 * DAY)))]
    pub transfer_limit: Duration,
    /// How long after delivery shares stay pending: 14 days (Directive 2011/83/EU, article 9).
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    #[garde(custom(within(14 * DAY, 365 * DAY)))]
    pub withdrawal_period: Duration,
    /// By gateway: the key of its webhooks' signatures. Without one its webhooks are refused.
    /// A secret may be read from a file: `bank_file = "/run/secrets/bank"`.
    #[garde(custom(are_strong))]
    pub webhook_secrets: BTreeMap<String, Secret>,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A span between two others, given in seconds.
fn within(min: u64, max: u64) -> impl Fn(&Duration, &()) -> garde::Result {
    let [min, max] = [min, max].map(Duration::from_secs);
    move |span, ()| match (min..=max).contains(span) {
        true => Ok(()),
        false => {
            let [min, max] = [min, max].map(humantime::format_duration);
            Err(garde::Error::new(format!("write a span from {min} to {max}")))
        }
    }
}

/// Basis points, none above the whole.
fn are_rates(rates: &BTreeMap<String, u32>, (): &()) -> garde::Result {
    match rates.iter().find(|(_, rate)| **rate > 10_000) {
        None => Ok(()),
        Some((category, _)) => Err(garde::Error::new(format!("{category:?} is above 10000 (100 %)"))),
    }
}

fn are_strong(secrets: &BTreeMap<String, Secret>, (): &()) -> garde::Result {
    match secrets.iter().find(|(_, secret)| !(16..=1_024).contains(&secret.reveal().len())) {
        None => Ok(()),
        Some((gateway, _)) => {
            Err(garde::Error::new(format!("agree on a secret of 16 to 1024 bytes with {gateway:?}")))
        }
    }
}

impl Default for CommissionRates {
    fn default() -> Self {
        Self { default_rate: 1_000, by_category: BTreeMap::new(), vat_rate: 2_100 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            platform: RecipientId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_a4c0)),
            commission: CommissionRates::default(),
            delivery_vat_rate: 2_100,
            charge_limit: Duration::from_secs(60),
            three_ds_limit: Duration::from_secs(10 * 60),
            transfer_limit: Duration::from_secs(3 * DAY),
            withdrawal_period: Duration::from_secs(14 * DAY),
            webhook_secrets: BTreeMap::new(),
        }
    }
}
