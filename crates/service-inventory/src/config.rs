//! What an operator of the market can set.

use garde::Validate;
use humantime_serde::re::humantime;
use kernel::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::stock::{QUANTITY_MAX, Thresholds};

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

/// The settings, each with a default that suits a small market.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long an order holds stock where its request does not say.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    #[garde(custom(within(MINUTE, 7 * DAY)))]
    pub reservation_limit: Duration,
    /// How long a cart holds stock where its request does not say.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    #[garde(custom(within(MINUTE, 7 * DAY)))]
    pub cart_hold: Duration,
    /// The longest that anything is held, extensions included, counted from when it is asked.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    #[garde(custom(within(DAY, 365 * DAY)))]
    pub hold_max: Duration,
    /// The limits of items whose artisan set none.
    #[garde(custom(are_possible))]
    pub thresholds: Thresholds,
    /// For how many days of sales a purchase order provides.
    #[garde(range(min = 1, max = 365))]
    pub restock_days: u32,
}

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

fn are_possible(thresholds: &Thresholds, (): &()) -> garde::Result {
    match thresholds.each().iter().all(|(_, limit)| *limit <= QUANTITY_MAX) {
        true => Ok(()),
        false => Err(garde::Error::new("each limit is at most 1000000000")),
    }
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
