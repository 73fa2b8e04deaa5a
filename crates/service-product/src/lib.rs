#![doc = include_str!("../README.md")]

pub mod commands;
pub mod config;
pub mod domain;
pub mod handlers;
mod http;
pub mod import;
pub mod ports;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use backbone::{Context, Module};
use contracts::product::{PriceChanged, Reviewed, Updated};
use kernel::Event as _;

pub use config::{Config, VatTable};

/// What this service registers.
pub fn module(context: &Context, config: Config) -> Module {
    let listings = Arc::new(context.calls.clone());
    let shop = http::Shop { context: context.clone(), config: Arc::new(config), listings };
    Module {
        publishes: vec![&PriceChanged::TYPE, &Updated::TYPE],
        later: vec![&Reviewed::TYPE],
        reactions: handlers::reactions(),
        timers: handlers::timers(),
        collections: vec![
            &domain::PRODUCTS,
            &domain::AVAILABILITY,
            &domain::CATEGORIES,
            &domain::SELLERS,
            &domain::RANKINGS,
        ],
        routes: http::routes(shop),
        calls: vec![&ports::OFFER_PRODUCT],
        ..Module::new("product")
    }
}
