//! How often somebody may ask: a person and a service as such, whoever is not known (or not believed)
//! by address. What came over no network is not counted: it is this process itself.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request};
use backbone::ephemeral::{Quota, RateLimits, Verdict};
use backbone::route::Caller;
use http::{HeaderMap, StatusCode};
use kernel::Duration;

use super::Guarded;
use crate::Problem;

/// Each proxy adds whom it heard.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// How much whom is allowed; nobody is limited where nothing is said.
#[derive(Clone)]
pub struct Rates {
    /// Counts.
    pub limits: Arc<dyn RateLimits>,
    /// A person.
    pub person: Option<Quota>,
    /// A service of another process.
    pub service: Option<Quota>,
    /// An address, or its network where that is one customer's (IPv6, the first 64 bits).
    pub address: Option<Quota>,
    /// How many proxies of ours stand before this process. What the others say in `X-Forwarded-For` is
    /// their own invention.
    pub proxies: usize,
}

/// A request that counts.
pub(super) struct Counted {
    limits: Arc<dyn RateLimits>,
    key: String,
    quota: Quota,
}

/// Under whom a request counts; `None` where it does not.
pub(super) fn counted(
    guarded: &Guarded,
    request: &Request,
    caller: Result<&Caller, &Problem>,
) -> Option<Counted> {
    let rates = guarded.gate.rates.as_ref()?;
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    let (key, quota) = match caller {
        Ok(Caller::Person { id, .. }) => (format!("person|{id}"), rates.person?),
        Ok(Caller::Service(name)) => (format!("service|{name}"), rates.service?),
        Ok(Caller::Anonymous) | Err(_) => {
            let address = origin(peer.ip(), request.headers(), rates.proxies);
            (format!("address|{}", network(address)), rates.address?)
        }
    };
    Some(Counted { limits: rates.limits.clone(), key, quota })
}

impl Counted {
    /// Counts it, or says when it may come again.
    pub(super) async fn allowed(self) -> Result<(), Problem> {
        match self.limits.allow(&self.key, self.quota).await {
            Verdict::Allowed { .. } => Ok(()),
            Verdict::Limited { retry_after } => Err(too_many(retry_after)),
        }
    }
}

fn too_many(retry_after: Duration) -> Problem {
    let seconds = u16::try_from(retry_after.as_millis().div_ceil(1_000)).unwrap_or(u16::MAX).max(1);
    let detail = format!("there are too many requests from you: try again after {seconds} s");
    let problem = Problem::of(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", detail);
    Problem { retry_after_seconds: seconds, ..problem }
}

/// Whom the outermost of our proxies heard; who connects, where there is none or it said nothing.
fn origin(peer: IpAddr, headers: &HeaderMap, proxies: usize) -> IpAddr {
    let Some(back) = proxies.checked_sub(1) else { return peer };
    let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok());
    let said: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    said.iter().rev().nth(back).and_then(|address| address.parse().ok()).unwrap_or(peer)
}

/// A customer with IPv6 has a whole network of addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(proxies: usize, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        network(origin("192.0.2.1".parse().unwrap(), &headers, proxies)).to_string()
    }

    #[test]
    fn only_what_our_own_proxies_say_counts() {
        assert_eq!(heard(0, &["198.51.100.7"]), "192.0.2.1", "anybody can write a header");
        assert_eq!(heard(1, &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(heard(1, &["10.0.0.1, 198.51.100.7"]), "198.51.100.7", "the first one is invented");
        assert_eq!(heard(2, &["10.0.0.1, 198.51.100.7", "203.0.113.9"]), "198.51.100.7");
        assert_eq!(heard(1, &[]), "192.0.2.1");
        assert_eq!(heard(3, &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(heard(1, &["somebody"]), "192.0.2.1");
        assert_eq!(heard(1, &["2001:db8:1:2:3:4:5:6"]), "2001:db8:1:2::");
        assert_eq!(heard(1, &["::ffff:198.51.100.7"]), "198.51.100.7");
    }
}
