//! Floor 2: a world in memory for simulations. Journal, bus and key ring keep every promise of
//! their ports; time, ids, randomness and tasks come from a seed; faults are injected; a process
//! can die at any moment and start again on what was durable. Several replicas may share the store:
//! one of them stands still while the clock goes on, or is cut off, and the others do not. A
//! [`Witness`] judges what all of them were answered, and bugs can be [`planted`] for a simulation
//! to find.
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
mod digest;
mod disk;
mod effects;
mod environment;
mod faults;
mod journal;
mod keyring;
mod layer;
mod log;
mod losses;
mod network;
pub mod planted;
mod plight;
mod process;
mod query;
mod shadow;
mod shared;
mod snapshot;
mod storage;
#[cfg(test)]
mod tests;
mod trace;
mod witness;
mod world;
mod writer;

pub use dice::Dice;
pub use effects::Effect;
pub use faults::{CommitFault, Faults};
pub use plight::Side;
pub use snapshot::Snapshot;
pub use witness::Witness;
pub use world::{BusKind, Settings, SimWorld};
