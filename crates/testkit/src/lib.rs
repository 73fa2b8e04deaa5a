#![doc = include_str!("../README.md")]

mod after;
mod goods;
mod market;
mod orders;

pub use after::{Unsettled, unsettled};
pub use goods::{Goods, Shelf};
pub use market::{SimGround, TestMarket};
pub use orders::{Bought, HOME, Wish, answer_bank, call_off};

#[cfg(test)]
mod tests;
