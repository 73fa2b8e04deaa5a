//! The suites of the ports, the same trace for the same seed, and each fault.

mod determinism;
mod faults;
mod replicas;
mod suites;
