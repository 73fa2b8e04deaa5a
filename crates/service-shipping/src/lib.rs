#![doc = include_str!("../README.md")]

pub mod commands;
pub mod config;
pub mod disposal;
pub mod domain;
pub mod handlers;
mod http;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use backbone::{Context, Module};
use contracts::shipping::{ShipmentCancelled, ShipmentDelivered, ShipmentDispatched, ShipmentScheduled};
use kernel::Event as _;

pub use config::{Config, Zone};

/// What this service registers.
pub fn module(context: &Context, config: Config) -> Module {
    let config = Arc::new(config);
    let depot = http::Depot { context: context.clone(), config: config.clone() };
    Module {
        publishes: vec![
            &ShipmentScheduled::TYPE,
            &ShipmentDispatched::TYPE,
            &ShipmentDelivered::TYPE,
            &ShipmentCancelled::TYPE,
        ],
        reactions: handlers::reactions(&config),
        sagas: vec![disposal::registration(context)],
        timers: vec![disposal::timer()],
        collections: vec![&domain::CONSIGNMENTS, &domain::SHIPMENTS],
        routes: http::routes(depot),
        ..Module::new("shipping")
    }
}
