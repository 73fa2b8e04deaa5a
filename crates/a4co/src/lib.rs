//! Floor 5: the binary. Reads configuration once, chooses adapters and providers, puts the
//! services together and runs them.
//!
//! What this crate must not know: any rule of the market. It drives the public API and looks at
//! what the services' own types say.

mod accounts;
pub mod bench;
pub mod checkout;
pub mod cli;
pub mod client;
pub mod config;
mod dead_letters;
pub mod demo;
pub mod dice;
mod engines;
pub mod environment;
mod events;
mod listing;
pub mod market;
mod members;
pub mod migrate;
pub mod orders;
mod platform;
pub mod processes;
pub mod production;
mod projections;
mod republish;
mod restore;
mod run;
mod sagas;
mod secrets;
pub mod seed;
mod serve;
pub mod services;
pub mod stock;
pub mod table;
pub mod traces;
pub mod verify;

pub use run::run;
