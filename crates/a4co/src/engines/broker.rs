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
        Broker::Nats(address) => nats(settings, address).await,
        Broker::Rabbit(address) => rabbit(settings, address, servers.partitions).await,
    }
}

#[cfg(feature = "nats")]
async fn nats(settings: &Settings, address: &str) -> anyhow::Result<Arc<dyn Bus>> {
    use anyhow::Context as _;
    let options = super::nats::options(settings, address)?;
    Ok(Arc::new(adapter_nats::NatsBus::connect(options).await.context("engines.nats")?))
}

#[cfg(not(feature = "nats"))]
#[allow(clippy::unused_async, reason = "the same as where it is built in")]
async fn nats(_: &Settings, _: &str) -> anyhow::Result<Arc<dyn Bus>> {
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
    let tls = &settings.engines.rabbitmq_tls;
    if tls.is_set() && !address.reveal().starts_with("amqps://") {
        anyhow::bail!("engines.rabbitmq_tls is set, and engines.rabbitmq does not begin with amqps://");
    }
    let (authority, identity) = super::files::of("rabbitmq_tls", tls)?;
    let options = adapter_rabbitmq::Options {
        address: address.clone(),
        tls: adapter_rabbitmq::Tls { authority, identity },
        in_flight_max: settings.engines.in_flight_max,
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
