//! Commands: decisions on a workspace, from wherever they were asked. Each takes effect whole or
//! not at all, over all the items that it names.

mod catalogue;
mod confirm;
mod item;
mod order;
mod purchase;
mod release;
mod reserve;
mod sold;

pub use catalogue::{
    Counted, ListedItem, Listing, Settled, Stocktake, count, list_product, set_artisan_settings, set_rules,
    update_product,
};
pub use confirm::{confirm_order, confirm_reservation};
pub use order::{ItemChanges, change_items, close_order, count_demand, return_items};
pub use purchase::{Delivery, put_supplier, receive};
pub use release::{expire, release, release_unpaid};
pub use reserve::{Asked, Extended, Verdict, extend, reserve};

/// The timer that ends reservations, keyed by the reservation's id.
pub const RESERVATION_EXPIRY: &str = "reservation-expiry";
