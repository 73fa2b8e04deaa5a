//! Floor 1: the ports, and the values with which a service registers itself.
//!
//! What this crate must not know: any service, any database, broker or runtime; it opens no
//! socket, starts no task and reads no clock. It says *what* a commit, a journal, a bus, a saga
//! and a module are; the engine says how they run and the adapters where they are kept.

pub mod aggregate;
pub mod bus;
pub mod calls;
pub mod cloudevents;
pub mod collection;
pub mod commit;
pub mod context;
pub mod document;
pub mod environment;
pub mod ephemeral;
pub mod journal;
pub mod keyring;
pub mod module;
pub mod moving;
pub mod outcome;
pub mod projection;
pub mod reaction;
pub mod relaying;
pub mod route;
pub mod saga;
pub mod system;
#[cfg(feature = "testing")]
pub mod testing;
pub mod timer;
pub mod tokens;
pub mod trace;
pub mod work;
pub mod workspace;

pub use aggregate::{Aggregate, Announcements};
pub use context::Context;
pub use document::Document;
pub use module::Module;
pub use outcome::{Refusal, Rejection, RejectionKind};
pub use work::Work;
pub use workspace::Workspace;
