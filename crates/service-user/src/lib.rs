#![doc = include_str!("../README.md")]

pub mod commands;
pub mod config;
pub mod domain;
pub mod erasure;
pub mod handlers;
mod http;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use backbone::keyring::KeyRing;
use backbone::{Context, Module};
use contracts::user::{EmailVerified, Erased, PreferencesChanged, ProfileUpdated, Registered};
use kernel::Event as _;

pub use config::{Config, HashKey, Settings};

/// What this service registers. `keyring` is asked for one thing: to destroy a person's key.
pub fn module(context: &Context, config: Config, keyring: Arc<dyn KeyRing>) -> Module {
    let desk = http::Desk { context: context.clone(), config: Arc::new(config) };
    Module {
        publishes: vec![&Registered::TYPE, &ProfileUpdated::TYPE, &PreferencesChanged::TYPE, &Erased::TYPE],
        later: vec![&EmailVerified::TYPE],
        reactions: handlers::reactions(),
        sagas: vec![erasure::registration(keyring)],
        collections: vec![&domain::ACCOUNTS, &domain::STANDINGS, &domain::WALLETS],
        routes: http::routes(desk),
        ..Module::new("user")
    }
}
