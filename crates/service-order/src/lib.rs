#![doc = include_str!("../README.md")]

pub mod cancellation;
pub mod commands;
pub mod config;
pub mod domain;
pub mod error;
pub mod fulfilment;
pub mod handlers;
pub mod http;
pub mod item_change;
pub mod ports;
pub mod returns;
pub mod views;

#[cfg(test)]
mod tests;

use backbone::{Context, Module};
use contracts::{inventory, order, payment, shipping};
use kernel::Event;

pub use config::Config;
pub use ports::Ports;

/// What this service registers, with its ports over the deployment's calls.
pub fn module(context: &Context, config: Config) -> Module {
    let ports = Ports::over(context.calls.clone());
    with_ports(context, config, ports)
}

/// What this service registers.
pub fn with_ports(context: &Context, config: Config, ports: Ports) -> Module {
    Module {
        publishes: vec![
            &order::Created::TYPE,
            &order::Confirmed::TYPE,
            &order::Cancelled::TYPE,
            &order::Shipped::TYPE,
            &order::Delivered::TYPE,
            &order::StateChanged::TYPE,
            &order::ItemsModified::TYPE,
            &order::Returned::TYPE,
            &inventory::ReservationRequested::TYPE,
            &inventory::ReleaseRequested::TYPE,
            &payment::Requested::TYPE,
            &payment::RefundRequested::TYPE,
            &shipping::CancellationRequested::TYPE,
        ],
        reactions: handlers::reactions(&config),
        sagas: vec![
            fulfilment::registration(&ports),
            cancellation::registration(),
            item_change::registration(),
            returns::registration(),
        ],
        timers: vec![handlers::quote_timer()],
        collections: vec![&domain::ORDERS, &views::QUOTES, &views::OFFERS, &views::SHOPPERS],
        told: vec![&domain::ORDERS],
        routes: http::routes(http::Desk { context: context.clone(), ports, config }),
        calls: ports::CALLS.to_vec(),
        ..Module::new("order")
    }
}
