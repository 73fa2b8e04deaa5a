#![doc = include_str!("../README.md")]

pub mod commands;
pub mod domain;
mod http;

#[cfg(test)]
mod tests;

use backbone::{Context, Module};
use contracts::artisan::{OnboardingCompleted, PerformanceEvaluated, ProductListed, StatusChanged, Verified};
use kernel::Event as _;

/// What this service registers.
pub fn module(context: &Context) -> Module {
    Module {
        publishes: vec![&Verified::TYPE, &ProductListed::TYPE],
        later: vec![&OnboardingCompleted::TYPE, &PerformanceEvaluated::TYPE, &StatusChanged::TYPE],
        collections: vec![&domain::ARTISANS, &domain::LISTINGS],
        routes: http::routes(context),
        ..Module::new("artisan")
    }
}
