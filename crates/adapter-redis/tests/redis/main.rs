//! What replicas share on a real server, which each test starts for itself.

mod away;
mod conformance;
mod keys;
mod replica;
mod start;
