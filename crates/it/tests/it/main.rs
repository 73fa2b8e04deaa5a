//! What only several crates together show.

mod engine;
mod privacy;
mod race;
mod simulation;
mod verify;
