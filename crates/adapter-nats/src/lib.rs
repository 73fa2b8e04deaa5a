//! Floor 2: the bus on NATS JetStream, from server 2.9 on.
//!
//! What this crate must not know: services, retries, parking, what an event means. The broker keeps
//! and carries; whether a delivery took effect is decided by the inbox in the consumer's journal.
//!
//! - `table`: which context has which stream; `streams` and `difference`: made and updated at start.
//! - `headers`: the envelope as a message, CloudEvents binary mode.
//! - `publishing`: what counts as published.
//! - `reader`, `pull`, `book`: one consumer. `book` is what it holds, without the broker.
//! - `durable`: the broker's side of a consumer.
//! - `losses`: what a broker lost with its storage, and making it again.
//! - `dead_letter`: where a message goes that cannot be read; `given_up`: what lies there.
//! - `accounts`: who may do what, as an operator includes it.

mod accounts;
mod book;
mod bus;
mod connection;
mod dead_letter;
mod difference;
mod durable;
mod error;
mod given_up;
mod headers;
mod losses;
mod options;
mod percent;
mod publishing;
mod pull;
mod reader;
mod streams;
mod table;

pub use accounts::{Account, Member, accounts};
pub use bus::NatsBus;
pub use connection::Connection;
pub use error::StartError;
pub use options::{Credentials, Options, Tls};
pub use table::{Discard, Retention, Storage, StreamSpec, product_table};
