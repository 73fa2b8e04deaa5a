//! What carries events between processes: NATS JetStream or RabbitMQ.

use std::sync::Arc;

use backbone::bus::Bus;
use kernel::Secret;

use super::Servers;
use crate::config::Settings;

/// The broker that is set.
#[derive(Clone, Copy)]
pub(crate) enum Broker<'s> {
    Nats(&'s str),
    Rabbit(&'s Secret),
}

/// Connects.
pub(crate) async fn open(settings: &Settings, servers: &Servers<'_>) -> anyhow::Result<Arc<dyn Bus>> {
    match servers.broker {
        Broker::Nats(address) => nats(settings, address, servers.partitions).await,
        Broker::Rabbit(address) => rabbit(settings, address, servers.partitions).await,
    }
}

#[cfg(feature = "nats")]
async fn nats(settings: &Settings, address: &str, partitions: u32) -> anyhow::Result<Arc<dyn Bus>> {
    use adapter_nats::Credentials;
    use anyhow::Context as _;
    let servers = vec![address.to_owned()];
    let credentials = match (&settings.engines.nats_user, &settings.engines.nats_password) {
        (None, None) => Credentials::None,
        (Some(name), Some(password)) => Credentials::User { name: name.clone(), password: password.clone() },
        _ => anyhow::bail!("engines.nats_user and engines.nats_password go together: set both or neither"),
    };
    let server_syncs_always = settings.engines.nats_syncs_always;
    let defaults = adapter_nats::Options::default();
    let options = adapter_nats::Options { servers, partitions, credentials, server_syncs_always, ..defaults };
    Ok(Arc::new(adapter_nats::NatsBus::connect(options).await.context("engines.nats")?))
}

#[cfg(not(feature = "nats"))]
#[allow(clippy::unused_async, reason = "the same as where it is built in")]
async fn nats(_: &Settings, _: &str, _: u32) -> anyhow::Result<Arc<dyn Bus>> {
    anyhow::bail!(
        "engines.nats is set, and this program was built without it: build it with --features nats, or remove it \
         from the configuration"
    )
}

#[cfg(feature = "rabbitmq")]
async fn rabbit(settings: &Settings, address: &Secret, partitions: u32) -> anyhow::Result<Arc<dyn Bus>> {
    use anyhow::Context as _;
    // Of all processes: each makes sure of every queue before it publishes.
    let members = crate::members::all(settings)?;
    let pairs = |member: &crate::members::Member| {
        let service = member.service;
        let pair = |context: &&str| (service.to_owned(), (*context).to_owned());
        member.consumes.iter().map(pair).collect::<Vec<_>>()
    };
    let options = adapter_rabbitmq::Options {
        address: address.clone(),
        consumers: members.iter().flat_map(pairs).collect(),
        partitions,
        ..adapter_rabbitmq::Options::default()
    };
    Ok(Arc::new(adapter_rabbitmq::RabbitBus::connect(options).await.context("engines.rabbitmq")?))
}

#[cfg(not(feature = "rabbitmq"))]
#[allow(clippy::unused_async, reason = "the same as where it is built in")]
async fn rabbit(_: &Settings, _: &Secret, _: u32) -> anyhow::Result<Arc<dyn Bus>> {
    anyhow::bail!(
        "engines.rabbitmq is set, and this program was built without it: build it with --features rabbitmq, or \
         remove it from the configuration"
    )
}
