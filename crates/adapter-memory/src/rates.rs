//! The rate limiter: the generic cell rate algorithm, one number a key. (Of the crates that have it
//! none takes a quota with each question and a bound on its keys.)

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use backbone::environment::Clock;
use backbone::ephemeral::{Quota, RateLimits, Verdict};
use kernel::Duration;
use lru::LruCache;

use crate::lock;

/// Counts in memory; full, it forgets the key that was asked for longest ago.
pub struct MemoryRates {
    clock: Arc<dyn Clock>,
    /// When everything that was allowed under a key has come back, in µs since 1970.
    full_at: Mutex<LruCache<String, i64>>,
}

impl MemoryRates {
    /// A limiter that knows at most so many keys.
    pub fn new(clock: Arc<dyn Clock>, keys_max: NonZeroUsize) -> Self {
        Self { clock, full_at: Mutex::new(LruCache::new(keys_max)) }
    }
}

#[async_trait]
impl RateLimits for MemoryRates {
    async fn allow(&self, key: &str, quota: Quota) -> Verdict {
        let now = self.clock.now().as_micros();
        let mut full_at = lock(&self.full_at);
        let (verdict, after) = decide(full_at.get(key).copied().unwrap_or(now), now, quota);
        if let Some(after) = after {
            // Only what is new needs a text of its own.
            match full_at.get_mut(key) {
                Some(known) => *known = after,
                None => drop(full_at.put(key.to_owned(), after)),
            }
        }
        verdict
    }
}

/// What is said at `now`, and when all has come back then, where that changes. The script on Redis
/// does the same.
fn decide(full_at: i64, now: i64, quota: Quota) -> (Verdict, Option<i64>) {
    let per = i64::try_from(quota.per.as_micros()).unwrap_or(i64::MAX / 4);
    if quota.requests == 0 {
        return (Verdict::Limited { retry_after: quota.per }, None);
    }
    let each = (per / i64::from(quota.requests)).max(1);
    let after = full_at.max(now) + each;
    let beyond = after - now - each * i64::from(quota.requests);
    if beyond > 0 {
        let retry_after = Duration::from_micros(u64::try_from(beyond).unwrap_or(0));
        return (Verdict::Limited { retry_after }, None);
    }
    let remaining = u32::try_from(-beyond / each).unwrap_or(u32::MAX);
    (Verdict::Allowed { remaining }, Some(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE_A_MINUTE: Quota = Quota::a_minute(3);
    const SECOND: i64 = 1_000_000;

    #[test]
    fn requests_come_back_evenly_and_what_is_refused_does_not_count() {
        let mut full_at = 0;
        let said: Vec<Verdict> = [0, 0, 0, 0, 5, 19, 20, 21, 100, 100, 100, 100]
            .map(|second| {
                let (verdict, after) = decide(full_at, second * SECOND, THREE_A_MINUTE);
                full_at = after.unwrap_or(full_at);
                verdict
            })
            .into();
        let allowed = |remaining| Verdict::Allowed { remaining };
        let limited = |seconds| Verdict::Limited { retry_after: Duration::from_secs(seconds) };
        let expected = [
            allowed(2),
            allowed(1),
            allowed(0),
            limited(20),
            limited(15),
            limited(1),
            allowed(0),
            limited(19),
            allowed(2),
            allowed(1),
            allowed(0),
            limited(20),
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_quota_of_nothing_allows_nothing() {
        assert!(matches!(decide(0, 0, Quota::a_minute(0)).0, Verdict::Limited { .. }));
    }
}
