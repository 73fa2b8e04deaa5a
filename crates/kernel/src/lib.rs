//! Floor 0: the values that every other floor speaks of.
//!
//! What this crate must not know: any service, any event's payload, any database, broker or
//! HTTP library, the wall clock, randomness. Everything here is a value with rules.

mod card_number;
mod derived_id;
mod envelope;
mod error;
mod event;
mod ids;
mod money;
mod personal;
mod secret;
mod stable_hash;
mod time;

pub use card_number::find_card_number;
pub use derived_id::derived_id;
pub use envelope::{Envelope, MAX_DATA_BYTES};
pub use error::ErrorKind;
pub use event::{Event, EventType};
pub use ids::*;
pub use money::{Currency, Money, MoneyError};
pub use personal::Personal;
pub use secret::Secret;
pub use stable_hash::stable_hash;
pub use time::{Duration, Timestamp};
