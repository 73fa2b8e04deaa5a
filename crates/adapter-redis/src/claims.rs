//! `Claims`: keys that are set where there are none.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::environment::{Clock, Environment, Ids};
use backbone::ephemeral::{Claim, Claims, Error};
use kernel::{Duration, Timestamp};
use redis::Script;

use crate::connection::Link;
use crate::keys::hidden;

/// Claims of all replicas.
pub(crate) struct RedisClaims {
    link: Link,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    release: Script,
}

impl RedisClaims {
    pub(crate) fn new(link: Link, environment: &Environment) -> Self {
        Self {
            link,
            clock: environment.clock.clone(),
            ids: environment.ids.clone(),
            release: Script::new(include_str!("scripts/release.lua")),
        }
    }

    /// True where nobody had the key.
    async fn set(&self, operation: &'static str, key: &Key<'_>, lasts: Duration) -> Result<bool, Error> {
        let mut set = redis::cmd("SET");
        set.arg(hidden(key.family, key.name)).arg(key.value).arg("NX").arg("PX").arg(millis(lasts));
        let done: Option<String> = self.link.ask(operation, &set).await?;
        Ok(done.is_some())
    }
}

struct Key<'a> {
    family: &'static str,
    name: &'a str,
    value: &'a str,
}

/// Redis counts in milliseconds, and nothing that ends at once can be set.
pub(crate) fn millis(lasts: Duration) -> u64 {
    u64::try_from(lasts.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX).max(1)
}

#[async_trait]
impl Claims for RedisClaims {
    async fn once(&self, key: &str, until: Timestamp) -> Result<bool, Error> {
        let key = Key { family: "seen", name: key, value: "" };
        // By the server's clock from now on: those of two machines need not agree.
        self.set("seeing something once", &key, until.since(self.clock.now())).await
    }

    async fn claim(&self, key: &str, lasts: Duration) -> Result<Option<Claim>, Error> {
        let claim = Claim { key: key.to_owned(), holder: self.ids.uuid() };
        let holder = claim.holder.to_string();
        let key = Key { family: "held", name: key, value: &holder };
        Ok(self.set("claiming a key", &key, lasts).await?.then_some(claim))
    }

    async fn release(&self, claim: Claim) -> Result<(), Error> {
        let mut script = self.release.key(hidden("held", &claim.key));
        self.link.run("releasing a key", script.arg(claim.holder.to_string())).await
    }
}
