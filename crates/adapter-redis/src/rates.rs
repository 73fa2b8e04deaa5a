//! `RateLimits`, and who counts while Redis is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use backbone::environment::Clock;
use backbone::ephemeral::{Error, Quota, RateLimits, Verdict};
use kernel::Duration;
use redis::Script;

use crate::connection::Link;
use crate::keys::hidden;

/// How long Redis is not asked after it did not answer: requests do not wait for it in turn.
const PAUSE: Duration = Duration::from_secs(1);
/// Redis answered last time.
const THERE: i64 = 0;

/// Counts on Redis, and in this process while it is away.
pub(crate) struct RedisRates {
    link: Link,
    script: Script,
    clock: Arc<dyn Clock>,
    local: Arc<dyn RateLimits>,
    /// Until when it is not asked, in µs since 1970.
    away_until: AtomicI64,
}

impl RedisRates {
    pub(crate) fn new(link: Link, clock: Arc<dyn Clock>, local: Arc<dyn RateLimits>) -> Self {
        let script = Script::new(include_str!("scripts/allow.lua"));
        Self { link, script, clock, local, away_until: AtomicI64::new(THERE) }
    }

    async fn asked(&self, key: &str, quota: Quota) -> Result<Verdict, Error> {
        let each = (quota.per.as_micros() / u128::from(quota.requests)).max(1);
        let each = u64::try_from(each).unwrap_or(u64::MAX);
        let mut script = self.script.key(hidden("rate", key));
        let (is_allowed, said): (bool, u64) =
            self.link.run("counting a request", script.arg(each).arg(quota.requests)).await?;
        Ok(match is_allowed {
            true => Verdict::Allowed { remaining: u32::try_from(said).unwrap_or(u32::MAX) },
            false => Verdict::Limited { retry_after: Duration::from_micros(said) },
        })
    }
}

#[async_trait]
impl RateLimits for RedisRates {
    async fn allow(&self, key: &str, quota: Quota) -> Verdict {
        if quota.requests == 0 {
            return Verdict::Limited { retry_after: quota.per };
        }
        let now = self.clock.now();
        if now.as_micros() < self.away_until.load(Ordering::Relaxed) {
            return self.local.allow(key, quota).await;
        }
        match self.asked(key, quota).await {
            Ok(verdict) => {
                if self.away_until.swap(THERE, Ordering::Relaxed) != THERE {
                    tracing::info!("Redis counts requests again");
                }
                verdict
            }
            Err(error) => {
                let until = now.plus(PAUSE).as_micros();
                if self.away_until.swap(until, Ordering::Relaxed) == THERE {
                    tracing::warn!(error.message = %error, "requests are counted by each replica alone");
                }
                self.local.allow(key, quota).await
            }
        }
    }
}
