//! What replicas share besides state and events: the memory of this process, or Redis.

use adapter_memory::Capacity;
use backbone::environment::Environment;
use backbone::ephemeral::Ephemeral;
use kernel::Secret;

use crate::config::Settings;

/// What is set.
pub(crate) async fn open(settings: &Settings, environment: &Environment) -> anyhow::Result<Ephemeral> {
    let local = adapter_memory::ephemeral(environment, Capacity::default());
    match &settings.engines.redis {
        Some(address) => redis(settings, address, environment, &local).await,
        None => {
            if settings.engines.postgres.is_some() {
                tracing::warn!(
                    "engines.redis is not set: each process counts requests and remembers tokens for itself, and \
                     hears late what another one has committed"
                );
            }
            Ok(local)
        }
    }
}

#[cfg(feature = "redis")]
async fn redis(
    settings: &Settings,
    address: &Secret,
    environment: &Environment,
    local: &Ephemeral,
) -> anyhow::Result<Ephemeral> {
    use anyhow::Context as _;
    let tls = &settings.engines.redis_tls;
    if tls.is_set() && !address.reveal().starts_with("rediss://") {
        anyhow::bail!("engines.redis_tls is set, and engines.redis does not begin with rediss://");
    }
    let (authority, identity) = super::files::of("redis_tls", tls)?;
    let options =
        adapter_redis::Options { authority, identity, ..adapter_redis::Options::at(address.clone()) };
    adapter_redis::connect(options, environment, local).await.context("engines.redis")
}

#[cfg(not(feature = "redis"))]
#[allow(clippy::unused_async, reason = "the same as where it is built in")]
async fn redis(_: &Settings, _: &Secret, _: &Environment, _: &Ephemeral) -> anyhow::Result<Ephemeral> {
    anyhow::bail!(
        "engines.redis is set, and this program was built without it: build it with --features redis, or remove \
         it from the configuration"
    )
}
