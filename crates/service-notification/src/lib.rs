#![doc = include_str!("../README.md")]

pub mod config;
pub mod domain;
pub mod handlers;
mod http;
pub mod outbox;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use backbone::module::{Beginning, NOTIFICATION_RETRIES};
use backbone::{Context, Module};
use contracts::notification::{BatchProcessed, Scheduled};
use kernel::Event as _;

pub use config::{Config, LocalTime};

/// What this service registers.
pub fn module(context: &Context, config: Config) -> Module {
    let config = Arc::new(config);
    Module {
        publishes: vec![&Scheduled::TYPE, &BatchProcessed::TYPE],
        reactions: handlers::reactions(&config),
        timers: outbox::timers(&config),
        collections: vec![
            &domain::NOTIFICATIONS,
            &domain::RECIPIENTS,
            &domain::CORRESPONDENCES,
            &domain::FOLLOWERS,
            &domain::REMINDERS,
            &domain::TALLIES,
        ],
        routes: http::routes(context),
        retries: NOTIFICATION_RETRIES,
        beginning: Beginning::Now,
        ..Module::new("notification")
    }
}
