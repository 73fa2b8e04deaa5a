//! `[limits]`: how often somebody may ask.

use std::sync::Arc;

use backbone::ephemeral::{Quota, RateLimits};
use garde::Validate;
use http_kit::Rates;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often somebody may ask over the network, counted over all processes that share a Redis. So many
/// requests at once, and they come back evenly over a minute; 0 is without limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests of a signed-in person.
    #[garde(skip)]
    pub person_per_minute: u32,
    /// Requests of a service in another process.
    #[garde(skip)]
    pub service_per_minute: u32,
    /// Requests from an address, of those who are not signed in.
    #[garde(skip)]
    pub address_per_minute: u32,
    /// How many proxies of yours stand before this process, `a4co serve --only gateway` among them:
    /// each adds to `X-Forwarded-For` whom it heard. With 0 the address that connects counts.
    #[garde(range(max = 8))]
    pub proxies: u8,
}

impl Default for Limits {
    fn default() -> Self {
        // Against what runs away, not against busy people: who is to be held shorter is set shorter.
        Self {
            person_per_minute: 120_000,
            service_per_minute: 600_000,
            address_per_minute: 60_000,
            proxies: 0,
        }
    }
}

impl Limits {
    /// As the gate takes them.
    pub(crate) fn counted_by(&self, limits: Arc<dyn RateLimits>) -> Rates {
        let of = |requests| (requests > 0).then_some(Quota::a_minute(requests));
        Rates {
            limits,
            person: of(self.person_per_minute),
            service: of(self.service_per_minute),
            address: of(self.address_per_minute),
            proxies: self.proxies.into(),
        }
    }
}
