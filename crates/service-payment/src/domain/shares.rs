//! Who gets what of a payment: to the cent, at the sale and when money goes back.

use std::collections::BTreeMap;

use contracts::shared::{RecipientType, Split, SplitShare};
use kernel::{ArtisanId, Money, RecipientId};
use serde::{Deserialize, Serialize};

use crate::config::{CommissionRates, Config};

/// What a part of a payment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The artisan's goods, less commission.
    Artisan,
    /// The platform's commission, net of VAT.
    Commission,
    /// The VAT on the commission, which the platform owes to the tax office.
    CommissionVat,
    /// Delivery.
    Delivery,
}

impl Role {
    /// What kind of party gets it.
    pub fn recipient_type(self) -> RecipientType {
        match self {
            Role::Artisan => RecipientType::Artisan,
            Role::Commission | Role::CommissionVat => RecipientType::Platform,
            Role::Delivery => RecipientType::Delivery,
        }
    }

    /// Becomes payable only when the customer can no longer withdraw.
    pub fn is_paid_out(self) -> bool {
        matches!(self, Role::Artisan | Role::Delivery)
    }
}

/// A part of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Who gets it.
    pub recipient_id: RecipientId,
    /// What for.
    pub role: Role,
    /// How much; never negative.
    pub amount: Money,
}

/// What was sold, as far as shares are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Goods {
    /// Who sells.
    pub artisan_id: ArtisanId,
    /// The category, which decides the commission.
    pub category: String,
    /// VAT in basis points.
    pub vat_rate: u32,
    /// Gross price.
    pub amount: Money,
}

/// The commission on one artisan's goods of one category, with the rate of the day of the sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommissionLine {
    /// Who sells.
    pub artisan_id: ArtisanId,
    /// The category; empty where the order did not say.
    pub category: String,
    /// What the artisan's customers pay for these goods.
    pub gross: Money,
    /// Basis points of `gross`.
    pub rate: u32,
    /// The commission, net of VAT.
    pub commission: Money,
    /// The VAT on it.
    pub vat: Money,
}

/// A payment divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Division {
    /// Who gets what; sums to the payment exactly.
    pub parts: Vec<Part>,
    /// How the platform's part came about.
    pub commission: Vec<CommissionLine>,
}

/// Why shares cannot be divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SharesError {
    /// A share is negative or of another currency.
    #[error("a share is negative or of another currency than the payment")]
    BadShare,
    /// The shares are not the payment.
    #[error("the shares do not sum to the payment")]
    NotTheWhole,
}

/// Takes the platform's commission out of the artisans' gross shares.
pub fn divide(
    amount: Money,
    gross: &[SplitShare],
    goods: &[Goods],
    config: &Config,
) -> Result<Division, SharesError> {
    if gross.iter().any(|share| share.amount.amount < 0) {
        return Err(SharesError::BadShare);
    }
    let sum = Money::sum(amount.currency, gross.iter().map(|share| share.amount));
    if sum.map_err(|_| SharesError::BadShare)? != amount {
        return Err(SharesError::NotTheWhole);
    }
    let mut parts = Parts::new(amount);
    let mut lines = Vec::new();
    for share in gross {
        let taken = match share.recipient_type {
            RecipientType::Artisan => commission(share, goods, &config.commission),
            RecipientType::Delivery => {
                parts.add(share.recipient_id, Role::Delivery, share.amount.amount);
                continue;
            }
            RecipientType::Platform => {
                parts.add(share.recipient_id, Role::Commission, share.amount.amount);
                continue;
            }
        };
        let net: i64 = taken.iter().map(|line| line.commission.amount).sum();
        let vat: i64 = taken.iter().map(|line| line.vat.amount).sum();
        parts.add(share.recipient_id, Role::Artisan, share.amount.amount - net - vat);
        parts.add(config.platform, Role::Commission, net);
        parts.add(config.platform, Role::CommissionVat, vat);
        lines.extend(taken);
    }
    Ok(Division { parts: parts.list(), commission: lines })
}

/// The commission on an artisan's share: the share is spread over the categories that they sell
/// in this order, as their prices are.
fn commission(share: &SplitShare, goods: &[Goods], rates: &CommissionRates) -> Vec<CommissionLine> {
    let artisan_id = ArtisanId(share.recipient_id.0);
    let mut by_category: BTreeMap<&str, u64> = BTreeMap::new();
    for sold in goods.iter().filter(|sold| sold.artisan_id == artisan_id) {
        *by_category.entry(&sold.category).or_default() += sold.amount.amount.unsigned_abs();
    }
    if by_category.is_empty() {
        by_category.insert("", 1);
    }
    let weights: Vec<u64> = by_category.values().copied().collect();
    let spread = by_category.keys().zip(share.amount.allocate(&weights));
    spread
        .map(|(category, gross)| {
            let rate = rates.of(category);
            let currency = gross.currency;
            let commission = gross.share(i64::from(rate)).amount.min(gross.amount);
            let vat = Money::new(commission, currency).share(i64::from(rates.vat_rate)).amount;
            CommissionLine {
                artisan_id,
                category: (*category).to_owned(),
                gross,
                rate,
                commission: Money::new(commission, currency),
                // Rounded up twice, a cent's commission and its VAT could exceed the cent.
                vat: Money::new(vat.min(gross.amount - commission), currency),
            }
        })
        .collect()
}

/// Parts, one per recipient and role, in that order.
struct Parts {
    whole: Money,
    by_place: BTreeMap<(Role, RecipientId), i64>,
}

impl Parts {
    fn new(whole: Money) -> Self {
        Self { whole, by_place: BTreeMap::new() }
    }

    fn add(&mut self, recipient: RecipientId, role: Role, amount: i64) {
        if amount != 0 {
            *self.by_place.entry((role, recipient)).or_default() += amount;
        }
    }

    fn list(self) -> Vec<Part> {
        let currency = self.whole.currency;
        let part = |((role, recipient_id), amount)| Part {
            recipient_id,
            role,
            amount: Money::new(amount, currency),
        };
        self.by_place.into_iter().map(part).collect()
    }
}

/// Takes `amount` back from what is left of the parts, in proportion to it. Never more than is
/// left of any; the last refund takes the last cent of each.
pub fn reverse(amount: Money, left: &[Part]) -> Vec<Part> {
    let weights: Vec<u64> = left.iter().map(|part| part.amount.amount.unsigned_abs()).collect();
    let amounts = amount.allocate(&weights);
    let parts = left.iter().zip(amounts).filter(|(_, amount)| !amount.is_zero());
    parts.map(|(part, amount)| Part { amount, ..part.clone() }).collect()
}

/// What is left of the parts after `taken` went back.
pub fn less(parts: &[Part], taken: &[Part]) -> Vec<Part> {
    let of = |part: &Part| {
        let same = taken.iter().filter(|t| t.recipient_id == part.recipient_id && t.role == part.role);
        same.map(|t| t.amount.amount).sum::<i64>()
    };
    let left = |part: &Part| Part {
        amount: Money::new(part.amount.amount - of(part), part.amount.currency),
        ..part.clone()
    };
    parts.iter().map(left).collect()
}

/// The parts as others see them: one share per recipient, with its percentage for display.
pub fn published(parts: &[Part], total: Money) -> Vec<Split> {
    let mut shares: Vec<Split> = Vec::new();
    for part in parts {
        let recipient_type = part.role.recipient_type();
        let known = shares
            .iter_mut()
            .find(|share| share.recipient_id == part.recipient_id && share.recipient_type == recipient_type);
        match known {
            Some(share) => share.amount.amount += part.amount.amount,
            None => shares.push(Split {
                recipient_id: part.recipient_id,
                recipient_type,
                amount: part.amount,
                percentage: 0.0,
            }),
        }
    }
    for share in &mut shares {
        share.percentage = percentage(share.amount, total);
    }
    shares
}

/// Percent with two decimals.
fn percentage(amount: Money, total: Money) -> f64 {
    if total.is_zero() {
        return 0.0;
    }
    let basis_points =
        (i128::from(amount.amount) * 10_000 + i128::from(total.amount) / 2) / i128::from(total.amount);
    basis_points as f64 / 100.0
}
