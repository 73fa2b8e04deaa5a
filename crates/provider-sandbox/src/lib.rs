#![doc = include_str!("../README.md")]

mod file;
mod gateway;
mod memory;
mod record;
mod script;
#[cfg(test)]
mod tests;

pub use file::{FileMemory, records};
pub use gateway::Sandbox;
pub use memory::{Decision, InMemory, Memory, Settled};
pub use record::{Book, Operation, Record, Standing};
