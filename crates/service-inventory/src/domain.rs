//! The rules, pure and synchronous: items of stock, and the reservations that hold pieces of them.

pub mod key;
pub mod owner;
pub mod reservation;
pub mod stock;

pub use key::ItemKey;
pub use owner::Owner;
