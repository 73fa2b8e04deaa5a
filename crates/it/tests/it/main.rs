//! What only several crates together show.

mod engine;
mod ephemeral;
mod migrate;
mod observability;
mod operators;
mod privacy;
mod projections;
mod python;
mod race;
mod reactions;
mod restore;
mod servers;
mod simulation;
mod verify;
