//! Floor 2: a world in memory for simulations. Journal, bus and key ring keep every promise of
//! their ports; time, ids, randomness and tasks come from a seed; faults are injected; a process
//! can die at any moment and start again on what was durable.
//!
//! What this crate must not know: any service, the engine, files, sockets, the wall clock. It
//! promises that the same seed gives the same trace, and that holds for whoever runs on it and
//!
//! - runs on a paused current-thread runtime: `#[tokio::test(start_paused = true)]`;
//! - takes time, ids and tasks from [`SimWorld::environment`];
//! - iterates no `HashMap` (its order is random in each process);
//! - writes `biased;` in every `tokio::select!` and wakes several waiters by `Notify`, not by
//!   `watch` or `broadcast`-like fan-out: unbiased selects and `tokio::sync::watch` choose by
//!   the runtime's own random numbers, which no seed reaches.
//!
//! ```text
//! let world = SimWorld::new(seed);
//! let storage = world.storage();        // of the process that runs now
//! world.at(17, CommitFault::CrashAfter); // dies when its 17th commit is durable
//! world.crashed(0).await;
//! let storage = world.storage();        // of the next process: what was durable is there
//! ```

mod apply;
mod broker;
mod bus;
mod dice;
mod disk;
mod environment;
mod faults;
mod journal;
mod keyring;
mod log;
mod process;
mod query;
mod shared;
mod storage;
#[cfg(test)]
mod tests;
mod trace;
mod world;
mod writer;

pub use dice::Dice;
pub use faults::{CommitFault, Faults};
pub use world::{BusKind, Settings, SimWorld};
