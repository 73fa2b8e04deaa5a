//! The promises of the ports on a real PostgreSQL, and what only PostgreSQL shows.

mod conformance;
mod encrypted;
mod faults;
mod import;
mod keys;
mod network;
mod replicas;
mod reports;
mod sample;
mod server;
mod tables;
