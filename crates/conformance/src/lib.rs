//! Floor 2: what the comments of the ports promise, as scenarios. One text, run on every adapter.
//!
//! What this crate must not know: any adapter, any engine, how something is kept. It sees what
//! the ports show and nothing else, so a scenario that passes here holds for whoever uses a port.
//!
//! An adapter says in a [`Fixture`] how it starts and how it stops, and then, in its tests:
//!
//! ```text
//! conformance::prove(conformance::journal_scenarios(), || Box::new(MyFixture::new())).await;
//! conformance::prove(conformance::bus_scenarios(), || Box::new(MyFixture::new())).await;
//! conformance::prove(conformance::keyring_scenarios(), || Box::new(MyFixture::new())).await;
//! ```
//!
//! What replicas share has worlds of two replicas: `prove_shared` with [`SharedMemory`].
//!
//! What a bus can do differs by its declared capabilities alone; a scenario about a capability
//! that a bus does not declare has nothing to show there.

mod bus;
mod dice;
mod ephemeral;
mod expect;
mod journal;
mod keyring;
pub mod reports;
mod sample;
mod scenario;
mod world;

pub use bus::bus_scenarios;
pub use ephemeral::{Replicas, SharedMemory, ephemeral_scenarios, prove_shared};
pub use journal::{journal_scenarios, random_commits_agree_with_the_model};
pub use keyring::keyring_scenarios;
pub use scenario::{Scenario, prove, run, run_side_by_side};
pub use world::{Fixture, Ports, World};
