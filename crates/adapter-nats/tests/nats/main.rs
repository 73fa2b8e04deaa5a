//! The bus on a real server, which each test starts for itself.

mod broker;
mod conformance;
mod consuming;
mod deaf;
mod faults;
mod foreign;
mod gap;
mod publishing;
mod start;
