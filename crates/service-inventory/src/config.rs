//! What an operator of the market can set.

use kernel::Duration;

use crate::domain::stock::Thresholds;

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

/// The settings, each with a default that suits a small market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long an order holds stock where its request does not say.
    pub reservation_limit: Duration,
    /// How long a cart holds stock where its request does not say.
    pub cart_hold: Duration,
    /// The longest that anything is held, extensions included, counted from when it is asked.
    pub hold_max: Duration,
    /// The limits of items whose artisan set none.
    pub thresholds: Thresholds,
    /// For how many days of sales a purchase order provides.
    pub restock_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reservation_limit: Duration::from_secs(15 * MINUTE),
            cart_hold: Duration::from_secs(30 * MINUTE),
            hold_max: Duration::from_secs(30 * DAY),
            thresholds: Thresholds { reorder: 10, low: 5, critical: 2 },
            restock_days: 30,
        }
    }
}
