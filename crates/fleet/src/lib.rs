//! The market as an operator with several machines runs it: a process for each service, some of them
//! twice, on PostgreSQL, a broker and Redis; and what breaks it on purpose to see what it promises.
//!
//! What this crate must not know: anything inside of a process. It starts the program, asks its
//! public API, pulls its cables, and reads the stores when all is over.

mod deliveries;
pub mod fault;
pub mod fleet;
pub mod injector;
pub mod ledger;
pub mod load;
pub mod member;
pub mod proxy;
pub mod run;
pub mod servers;
