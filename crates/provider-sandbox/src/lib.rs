#![doc = include_str!("../README.md")]

mod gateway;
mod memory;
mod script;
#[cfg(test)]
mod tests;

pub use gateway::Sandbox;
pub use memory::{FileMemory, InMemory, Memory, Operation, Record, Standing, records};
