//! What an operator can set.

use garde::Validate;
use kernel::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings, each with a default that suits a small market.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long stock is first held, in minutes; extended past the payment's deadline later.
    #[garde(range(min = 1, max = 1440))]
    pub reservation_minutes: u32,
    /// The most that a charge may take, in minutes, whatever the method says of itself.
    #[garde(range(min = 1, max = 1440))]
    pub payment_limit_minutes: u32,
    /// The most that a bank transfer is waited for, in days, whatever payment says.
    #[garde(range(min = 1, max = 30))]
    pub transfer_limit_days: u32,
    /// How much longer than the payment's deadline stock is held, in minutes.
    #[garde(range(min = 1, max = 1440))]
    pub reservation_margin_minutes: u32,
    /// The right of withdrawal, in days from delivery (Directive 2011/83/EU, article 9: 14).
    #[garde(range(min = 14, max = 365))]
    pub withdrawal_days: u32,
    /// How long returned goods may take to come back, in days.
    #[garde(range(min = 1, max = 365))]
    pub return_days: u32,
    /// How long the prices of a quote bind, in minutes.
    #[garde(range(min = 1, max = 1440))]
    pub quote_minutes: u32,
    /// How long one event stream is kept open, in minutes; clients reconnect.
    #[garde(range(min = 1, max = 1440))]
    pub stream_minutes: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reservation_minutes: 15,
            payment_limit_minutes: 60,
            transfer_limit_days: 5,
            reservation_margin_minutes: 5,
            withdrawal_days: 14,
            return_days: 30,
            quote_minutes: 15,
            stream_minutes: 10,
        }
    }
}

/// Minutes as a duration.
pub(crate) const fn minutes(minutes: u32) -> Duration {
    Duration::from_secs(minutes as u64 * 60)
}

/// Days as a duration.
pub(crate) const fn days(days: u32) -> Duration {
    Duration::from_secs(days as u64 * 86_400)
}

/// The limits that a saga starts with and keeps: steps are plain functions and read no
/// configuration, and a running saga does not change its promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The first hold on stock, in seconds.
    pub reservation_s: u64,
    /// The most that a charge may take, in seconds.
    pub payment_s: u64,
    /// The most that a transfer is waited for, in seconds.
    pub transfer_s: u64,
    /// How much longer than the payment's deadline stock is held, in seconds.
    pub margin_s: u64,
}

impl Config {
    /// The limits of a saga that starts now.
    pub fn policy(&self) -> Policy {
        Policy {
            reservation_s: minutes(self.reservation_minutes).as_secs(),
            payment_s: minutes(self.payment_limit_minutes).as_secs(),
            transfer_s: days(self.transfer_limit_days).as_secs(),
            margin_s: minutes(self.reservation_margin_minutes).as_secs(),
        }
    }
}
