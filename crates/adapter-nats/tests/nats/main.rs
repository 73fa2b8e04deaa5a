//! The bus on a real server, which each test starts for itself.

mod accounts;
mod broker;
mod conformance;
mod consuming;
mod deaf;
mod faults;
mod foreign;
mod gap;
mod losses;
mod publishing;
mod start;
