//! What an operator can set.

use garde::Validate;
use jiff::tz::TimeZone;
use kernel::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings, each with a default that suits a market in Spain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where quiet hours are meant, as a POSIX rule.
    #[garde(skip)]
    #[schemars(with = "String")]
    pub local_time: LocalTime,
    /// How long after a cart was given up its owner is reminded.
    #[garde(range(min = 1, max = 10_080))]
    pub cart_reminder_delay_minutes: u32,
    /// How many deliveries are told together.
    #[garde(range(min = 1, max = 1_000))]
    pub batch_size: usize,
    /// How long a delivery waits to be told together with others.
    #[garde(range(min = 1, max = 3_600))]
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

/// Mainland Spain.
const SPAIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

/// A time zone by its POSIX rule, which needs no files: `CET-1CEST,M3.5.0,M10.5.0/3`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalTime {
    rule: String,
    pub(crate) zone: TimeZone,
}

impl TryFrom<String> for LocalTime {
    type Error = String;

    fn try_from(rule: String) -> Result<Self, String> {
        let wanted = "write a POSIX rule such as CET-1CEST,M3.5.0,M10.5.0/3";
        match TimeZone::posix(&rule) {
            Ok(zone) => Ok(Self { rule, zone }),
            Err(error) => Err(format!("{rule:?} is no time zone ({error}): {wanted}")),
        }
    }
}

impl From<LocalTime> for String {
    fn from(time: LocalTime) -> Self {
        time.rule
    }
}

impl Default for LocalTime {
    fn default() -> Self {
        Self::try_from(SPAIN.to_owned()).expect("the rule of mainland Spain is a rule")
    }
}
