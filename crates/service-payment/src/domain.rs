//! The rules: pure, synchronous, from values to values.

pub mod account;
mod announce;
mod decide;
pub mod invoice;
pub mod ledger;
pub mod payment;
pub mod shares;
mod state;

pub use account::OrderAccount;
pub use payment::{Command, Event, Payment, State};
