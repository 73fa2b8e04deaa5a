//! Floor 2: the ports of `backbone::ephemeral` on one Redis server, 6 or newer (not a cluster: a script
//! reaches keys that it finds only while it runs).
//!
//! What this crate must not know: services, and anything that must last. Every key begins with `a4co:`
//! and expires; every operation is one command or one script, so it happens entirely or not at all.
//! What a key is about stands in it as a digest: neither a session's id nor an address can be read there.
//!
//! While Redis is away:
//! - rates: each replica counts for itself, with a warning;
//! - claims: unavailable, so a request that may be a replay is refused, and work that a claim was only
//!   to spare goes on;
//! - sessions: unavailable, nobody is signed in;
//! - hints: lost between replicas, heard within each.

mod claims;
mod connection;
mod hints;
mod keys;
mod options;
mod rates;
mod sessions;

use std::sync::Arc;

use backbone::environment::Environment;
use backbone::ephemeral::Ephemeral;

pub use options::{Options, StartError};

use crate::connection::Link;

/// Connects. `local` is what this process has by itself: its limiter counts while Redis is away, and
/// hints of other replicas are told on it.
pub async fn connect(
    options: Options,
    environment: &Environment,
    local: &Ephemeral,
) -> Result<Ephemeral, StartError> {
    let client = connection::client(&options)?;
    let link = Link::open(client.clone(), &options).await?;
    let hints = hints::RedisHints::begin(client, link.clone(), environment, local.hints.clone());
    Ok(Ephemeral {
        limits: Arc::new(rates::RedisRates::new(
            link.clone(),
            environment.clock.clone(),
            local.limits.clone(),
        )),
        claims: Arc::new(claims::RedisClaims::new(link.clone(), environment)),
        sessions: Arc::new(sessions::RedisSessions::new(link)),
        hints: Arc::new(hints),
    })
}
