//! What an operator can set.

use jiff::tz::TimeZone;
use kernel::Duration;
use serde::Deserialize;

/// The settings, each with a default that suits a market in Spain.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where quiet hours are meant.
    pub local_time: LocalTime,
    /// How long after a cart was given up its owner is reminded.
    pub cart_reminder_delay_minutes: u32,
    /// How many deliveries are told together.
    pub batch_size: usize,
    /// How long a delivery waits to be told together with others.
    pub batch_wait_seconds: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            local_time: LocalTime::default(),
            cart_reminder_delay_minutes: 30,
            batch_size: 100,
            batch_wait_seconds: 10,
        }
    }
}

impl Config {
    pub(crate) fn cart_reminder_delay(&self) -> Duration {
        Duration::from_secs(u64::from(self.cart_reminder_delay_minutes) * 60)
    }

    pub(crate) fn batch_wait(&self) -> Duration {
        Duration::from_secs(u64::from(self.batch_wait_seconds))
    }
}

/// A time zone by its POSIX rule, which needs no files: `CET-1CEST,M3.5.0,M10.5.0/3`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct LocalTime(pub(crate) TimeZone);

impl TryFrom<String> for LocalTime {
    type Error = String;

    fn try_from(rule: String) -> Result<Self, String> {
        let wanted = "write a POSIX rule such as CET-1CEST,M3.5.0,M10.5.0/3";
        TimeZone::posix(&rule).map(Self).map_err(|e| format!("{rule:?} is no time zone ({e}): {wanted}"))
    }
}

impl Default for LocalTime {
    /// Mainland Spain.
    fn default() -> Self {
        Self(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("the rule of mainland Spain is a rule"))
    }
}
