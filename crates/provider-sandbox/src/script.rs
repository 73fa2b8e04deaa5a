//! What each test method does.

use kernel::Duration;
use service_payment::ports::{MethodType, Recognised};

/// What a test method does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// Charged.
    Succeeds,
    /// Declined for good, with a code.
    Declines(&'static str),
    /// So many attempts of an order fail first.
    FailsFirst(u32),
    /// The customer's bank asks the customer.
    AsksCustomer,
    /// Charged after a while.
    Slow,
    /// Charged without an answer.
    TimesOut,
    /// Never arrives.
    IsLost,
    /// Charged; so many refunds fail first.
    FailsRefunds(u32),
    /// Charged; refunds are refused for good.
    RefusesRefunds,
}

/// How long a slow charge takes.
pub(crate) const SLOW: Duration = Duration::from_secs(2);
/// When a client gives up waiting for an answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

const BIZUM: &str = "sandbox-bizum-";

impl Script {
    /// What `token` does, where it is a test method.
    pub(crate) fn of(token: &str) -> Option<Self> {
        Some(match token {
            "sandbox-card-ok" | "sandbox-bizum-600000001" => Script::Succeeds,
            "sandbox-card-declined" => Script::Declines("insufficient-funds"),
            "sandbox-bizum-600000002" => Script::Declines("declined-by-holder"),
            "sandbox-card-retry-1" => Script::FailsFirst(1),
            "sandbox-card-retry-2" => Script::FailsFirst(2),
            "sandbox-card-broken" => Script::FailsFirst(u32::MAX),
            "sandbox-card-3ds" => Script::AsksCustomer,
            "sandbox-card-slow" => Script::Slow,
            "sandbox-card-timeout" => Script::TimesOut,
            "sandbox-card-lost" => Script::IsLost,
            "sandbox-refund-fails" => Script::FailsRefunds(u32::MAX),
            "sandbox-refund-refused" => Script::RefusesRefunds,
            other => {
                let times = other.strip_prefix("sandbox-refund-fails-")?;
                Script::FailsRefunds(times.parse().ok().filter(|times| (1..=9).contains(times))?)
            }
        })
    }

    /// What the market may know of `token` before it is charged.
    pub(crate) fn recognise(token: &str) -> Option<Recognised> {
        let script = Script::of(token)?;
        let method_type = if token.starts_with(BIZUM) { MethodType::Bizum } else { MethodType::Card };
        Some(Recognised { method_type, three_ds: script == Script::AsksCustomer })
    }
}
