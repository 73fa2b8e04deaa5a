#![doc = include_str!("../README.md")]

pub mod book;
pub mod catalogue;
pub mod commands;
pub mod config;
pub mod demand;
pub mod domain;
pub mod error;
pub mod handlers;
pub mod http;
pub mod movements;
pub mod purchasing;
pub mod replenishment;
pub mod views;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use backbone::saga::SagaRegistration;
use backbone::{Context, Module};
use contracts::inventory;
use kernel::Event;

pub use config::Config;

/// What this service registers.
pub fn module(context: &Context, config: Config) -> Module {
    let asking = context.clone();
    let counter = http::Counter { context: context.clone(), config: Arc::new(config.clone()) };
    let replenishment =
        SagaRegistration::new::<replenishment::Replenishment>(replenishment::TIMER, move |call, _| {
            let context = asking.clone();
            Box::pin(async move { replenishment::perform(&context, call).await })
        });
    Module {
        publishes: vec![
            &inventory::ReservationConfirmed::TYPE,
            &inventory::ReservationReleased::TYPE,
            &inventory::StockReserved::TYPE,
            &inventory::StockConfirmed::TYPE,
            &inventory::StockReleased::TYPE,
            &inventory::StockFailed::TYPE,
            &inventory::StockDepleted::TYPE,
            &inventory::StockUpdated::TYPE,
            &inventory::ThresholdReached::TYPE,
            &inventory::PurchaseOrderCreated::TYPE,
            &inventory::RestockScheduled::TYPE,
        ],
        reactions: handlers::reactions(&config),
        sagas: vec![replenishment],
        timers: handlers::timers(),
        projections: vec![movements::projection()],
        collections: vec![
            &views::STOCK,
            &views::RESERVATIONS,
            &book::ORDER_BOOKS,
            &demand::DEMAND,
            &catalogue::PRODUCTS,
            &catalogue::ARTISAN_SETTINGS,
            &purchasing::SUPPLIERS,
            &purchasing::PURCHASE_ORDERS,
            &purchasing::REPLENISHMENTS,
            &movements::MOVEMENTS,
        ],
        routes: http::routes(&counter),
        ..Module::new("inventory")
    }
}
