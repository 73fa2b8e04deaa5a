//! Floor 2: the journal and the KeyRing on PostgreSQL 15 or newer, for several replicas at a time.
//!
//! What this crate must not know: any service, any event's payload, what a commit means. It takes
//! commits as values, writes many of them in one transaction, and reads them back.
//!
//! One database, a schema per service. Replicas share it without knowing of each other: versions
//! decide, and one row per service, the counter of positions, lets their transactions end one
//! after another.

mod batch;
mod changes;
mod check;
mod connection;
mod error;
mod import;
mod journal;
mod keyring;
mod known;
mod load;
mod migration;
mod options;
mod pipeline;
mod predict;
mod query;
mod queue;
mod readers;
mod rows;
mod schema;
mod shadow;
mod sql;
mod statistics;
mod storage;
mod tables;
mod tls;
mod write;
mod writer;

pub use import::{Import, ImportError, ServiceImport};
pub use keyring::{KeyRingError, PostgresKeyRing, Wrapping};
pub use options::Options;
pub use statistics::Statistics;
pub use storage::{OpenError, PostgresStorage};
