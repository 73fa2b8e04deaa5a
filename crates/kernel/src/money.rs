//! Money: integer minor units and an ISO 4217 currency. No float anywhere.

use std::borrow::Cow;

/// An ISO 4217 currency, written as its three-letter code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The euro, the market's own currency.
    pub const EUR: Currency = Currency(iso_currency::Currency::EUR);

    /// Reads a three-letter code such as `EUR`; `None` where ISO 4217 does not list it.
    pub fn from_code(code: &str) -> Option<Self> {
        iso_currency::Currency::from_code(code).map(Self)
    }

    /// The three-letter code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimal digits the minor unit has: 2 for the euro.
    pub fn exponent(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(0))
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

impl schemars::JsonSchema for Currency {
    fn schema_name() -> Cow<'static, str> {
        "Currency".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217 code"})
    }
}

/// An amount in minor units (cents) of a currency.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct Money {
    /// Minor units: 1250 is 12.50 €. May be negative in a ledger.
    pub amount: i64,
    /// The currency of `amount`.
    pub currency: Currency,
}

/// Why two amounts could not be combined.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MoneyError {
    /// Amounts of different currencies do not add up.
    #[error("{left} and {right} cannot be combined: amounts must share one currency")]
    CurrencyMismatch {
        /// The currency of the first amount.
        left: Currency,
        /// The currency of the second.
        right: Currency,
    },
    /// The result does not fit 64 bits.
    #[error("the amount is too large")]
    Overflow,
}

impl Money {
    /// `amount` minor units of `currency`.
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// `amount` cents of the euro.
    pub const fn eur(amount: i64) -> Self {
        Self::new(amount, Currency::EUR)
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// True where the amount is zero.
    pub const fn is_zero(self) -> bool {
        self.amount == 0
    }

    /// The sum, or why there is none.
    pub fn plus(self, other: Money) -> Result<Money, MoneyError> {
        self.combine(other, i64::checked_add)
    }

    /// The difference, or why there is none.
    pub fn minus(self, other: Money) -> Result<Money, MoneyError> {
        self.combine(other, i64::checked_sub)
    }

    fn combine(self, other: Money, with: fn(i64, i64) -> Option<i64>) -> Result<Money, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency });
        }
        let amount = with(self.amount, other.amount).ok_or(MoneyError::Overflow)?;
        Ok(Money::new(amount, self.currency))
    }

    /// `quantity` times this amount.
    pub fn times(self, quantity: i64) -> Result<Money, MoneyError> {
        let amount = self.amount.checked_mul(quantity).ok_or(MoneyError::Overflow)?;
        Ok(Money::new(amount, self.currency))
    }

    /// The sum of `amounts`, starting from zero in `currency`.
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Money>) -> Result<Money, MoneyError> {
        amounts.into_iter().try_fold(Money::zero(currency), Money::plus)
    }

    /// This share of the amount: `basis_points` of ten thousand, half a minor unit rounded away
    /// from zero.
    pub fn share(self, basis_points: i64) -> Money {
        let product = i128::from(self.amount) * i128::from(basis_points);
        let half = if product < 0 { -5_000 } else { 5_000 };
        Money::new(clamp((product + half) / 10_000), self.currency)
    }

    /// The tax contained in this gross amount at `rate` basis points (2100 is 21 %), rounded
    /// half away from zero.
    pub fn tax_included(self, rate: i64) -> Money {
        let divisor = 10_000 + i128::from(rate);
        let net = (i128::from(self.amount) * 10_000 * 2 + divisor * i128::from(self.amount.signum()))
            / (divisor * 2);
        Money::new(self.amount - clamp(net), self.currency)
    }

    /// Divides the amount in proportion to `weights` so that the parts sum to it exactly
    /// (largest remainders get the left-over minor units, earlier parts first on a tie). Where
    /// all weights are zero the first part gets everything; no weights, no parts.
    pub fn allocate(self, weights: &[u64]) -> Vec<Money> {
        let total: u128 = weights.iter().map(|w| u128::from(*w)).sum();
        if weights.is_empty() {
            return Vec::new();
        }
        if total == 0 {
            let mut parts = vec![Money::zero(self.currency); weights.len()];
            parts[0] = self;
            return parts;
        }
        let magnitude = u128::from(self.amount.unsigned_abs());
        let mut parts: Vec<u128> = weights.iter().map(|w| magnitude * u128::from(*w) / total).collect();
        let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
        by_remainder.sort_by_key(|i| std::cmp::Reverse(magnitude * u128::from(weights[*i]) % total));
        let left_over = magnitude - parts.iter().sum::<u128>();
        for index in by_remainder.into_iter().take(left_over as usize) {
            parts[index] += 1;
        }
        let sign = i128::from(self.amount.signum());
        parts.into_iter().map(|part| Money::new(clamp(sign * part as i128), self.currency)).collect()
    }
}

fn clamp(value: i128) -> i64 {
    value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let exponent = self.currency.exponent();
        let unit = 10u64.pow(exponent);
        let magnitude = self.amount.unsigned_abs();
        let sign = if self.amount < 0 { "-" } else { "" };
        match exponent {
            0 => write!(f, "{sign}{magnitude} {}", self.currency),
            digits => write!(
                f,
                "{sign}{}.{:0width$} {}",
                magnitude / unit,
                magnitude % unit,
                self.currency,
                width = digits as usize
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_of_different_currencies_do_not_add_up() {
        let dollars = Money::new(1, Currency::from_code("USD").unwrap());
        assert!(matches!(Money::eur(1).plus(dollars), Err(MoneyError::CurrencyMismatch { .. })));
        assert_eq!(Money::eur(i64::MAX).plus(Money::eur(1)), Err(MoneyError::Overflow));
    }

    #[test]
    fn shares_and_tax_round_half_away_from_zero() {
        assert_eq!(Money::eur(1_050).share(1_000), Money::eur(105));
        assert_eq!(Money::eur(5).share(5_000), Money::eur(3));
        assert_eq!(Money::eur(-5).share(5_000), Money::eur(-3));
        assert_eq!(Money::eur(1_210).tax_included(2_100), Money::eur(210));
        assert_eq!(Money::eur(0).tax_included(1_000), Money::eur(0));
    }

    #[test]
    fn money_is_shown_with_its_minor_unit() {
        assert_eq!(Money::eur(-5).to_string(), "-0.05 EUR");
        assert_eq!(Money::new(7, Currency::from_code("JPY").unwrap()).to_string(), "7 JPY");
    }

    proptest! {
        #[test]
        fn parts_always_sum_to_the_whole(
            amount in -1_000_000_000i64..1_000_000_000,
            weights in prop::collection::vec(0u64..10_000, 1..12),
        ) {
            let whole = Money::eur(amount);
            let parts = whole.allocate(&weights);
            prop_assert_eq!(Money::sum(Currency::EUR, parts.iter().copied()), Ok(whole));
            prop_assert!(parts.iter().all(|p| p.amount.signum() * amount.signum() >= 0));
        }
    }
}
