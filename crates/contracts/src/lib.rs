#![doc = include_str!("../README.md")]

mod event_macro;
mod wire;

pub mod artisan;
pub mod auth;
pub mod calls;
pub mod cart;
pub mod chat;
pub mod cms;
pub mod inventory;
pub mod loyalty;
pub mod notification;
pub mod order;
pub mod payment;
pub mod product;
pub mod shared;
pub mod shipping;
pub mod user;

mod catalogue;

pub use catalogue::{NamedType, catalogue, find, named_types, schema};
pub use wire::Object;

#[cfg(test)]
mod tests;
