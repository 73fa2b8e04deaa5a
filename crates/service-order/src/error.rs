//! Every no of this service, with its stable code.

use backbone::{Rejection, RejectionKind};
use contracts::shared::OrderState;

/// There is no such order, or none that the caller may see.
pub fn no_such_order() -> Rejection {
    Rejection::not_found("order-unknown", "there is no such order")
}

/// The id was used before.
pub fn already_placed() -> Rejection {
    Rejection::conflict("order-already-placed", "this order was placed before")
}

/// The state does not allow it.
pub fn wrong_state(what: &str, state: OrderState) -> Rejection {
    Rejection::conflict("order-state", format!("an order that is {state} cannot be {what}"))
}

/// A parcel has left.
pub fn already_dispatched() -> Rejection {
    Rejection::conflict(
        "order-dispatched",
        "a parcel of this order is on its way: return it when it has arrived",
    )
}

/// Something else is under way.
pub fn busy(with: &str) -> Rejection {
    Rejection::conflict("order-busy", format!("{with} of this order is under way: wait until it is settled"))
}

/// Somebody else changed it in between.
pub fn stale(version: u64) -> Rejection {
    let message = format!("the order changed in between and is at version {version} now: read it again");
    Rejection::new(RejectionKind::Stale, "order-changed", message)
}

/// Confirmation without payment or stock: never.
pub fn not_ready(lacks: &str) -> Rejection {
    Rejection::conflict("order-not-ready", format!("an order without {lacks} cannot be confirmed"))
}

/// The withdrawal period is over.
pub fn too_late_to_return(days: u32) -> Rejection {
    let message = format!("goods can be sent back until {days} days after delivery");
    Rejection::conflict("return-too-late", message)
}

/// There is no such return.
pub fn no_such_return() -> Rejection {
    Rejection::not_found("return-unknown", "there is no such return of this order")
}

/// There is no such item change.
pub fn no_such_change() -> Rejection {
    Rejection::not_found("change-unknown", "there is no such change of this order")
}

/// The request makes no sense at `field`.
pub fn invalid(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Rejection {
    Rejection::invalid(code, message).at(field)
}

/// Fewer are there than are wanted at `field`.
pub fn out_of_stock(field: impl Into<String>, message: impl Into<String>) -> Rejection {
    Rejection::conflict("out-of-stock", message).at(field)
}
