//! Floor 2: what runs modules.
//!
//! What this crate must not know: any service, any event's meaning, any database, broker, HTTP
//! library or clock. It knows how work is decided, committed, delivered, retried, given up,
//! resumed and encrypted; where it is kept and how it travels is the adapters' business.

mod assemble;
mod cache;
mod consumer;
mod dead_letters;
mod decider;
mod documents;
mod doubt;
mod engine;
mod failures;
mod host;
mod keys;
mod lanes;
mod projections;
mod recovery;
mod sagas;
mod sealing;
mod shutdown;
mod timers;

pub use dead_letters::{DeadLetterError, DeadLetters};
pub use engine::{Engine, Options, Parts, Running, StartError};
pub use host::Host;
pub use keys::Keys;
pub use projections::rebuild;
