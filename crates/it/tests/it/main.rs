//! What only several crates together show.

mod engine;
mod observability;
mod privacy;
mod projections;
mod race;
mod reactions;
mod restore;
mod servers;
mod simulation;
mod verify;
