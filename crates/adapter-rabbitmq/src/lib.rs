//! Floor 2: the bus on RabbitMQ, from 3.10 on.
//!
//! What this crate must not know: services, retries, parking, what an event means. The broker keeps
//! and carries; whether a delivery took effect is decided by the inbox in the consumer's journal.
//!
//! - `topology`: exchanges, queues and bindings by name, and how they are made.
//! - `marks`: which queues are known to their consumers, and what was lost.
//! - `wire`: a connection that is kept up; `error`: what its errors mean.
//! - `headers`: the envelope as a message, CloudEvents binary mode.
//! - `publishing`: what counts as published.
//! - `reader`, `link`, `pump`, `book`, `order`: one consumer. `book` is what it holds, and `order` how
//!   what comes again is put in order, without the broker.
//! - `dead_letter`: where a message goes that cannot be read; `given_up`: what lies there.
//! - `definitions`: topology and accounts as an operator imports them.

mod book;
mod bus;
mod dead_letter;
mod definitions;
mod error;
mod given_up;
mod headers;
mod link;
mod marks;
mod options;
mod order;
mod publishing;
mod pump;
mod reader;
mod topology;
mod wire;

pub use bus::RabbitBus;
pub use definitions::{Account, Member, definitions};
pub use error::StartError;
pub use options::{Options, Tls};
pub use wire::Connection;
