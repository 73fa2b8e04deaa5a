//! Every no of this service, with its stable code.

use backbone::Rejection;
use contracts::shared::Shortage;
use kernel::ReservationId;

use crate::domain::ItemKey;

/// No stock is kept of it.
pub fn no_such_item(what: impl std::fmt::Display) -> Rejection {
    Rejection::not_found(
        "no-such-stock",
        format!("no stock is kept of {what}: open it with productId, artisanId and name"),
    )
}

/// There are fewer pieces than asked for.
pub fn insufficient(shortages: &[Shortage]) -> Rejection {
    let lines: Vec<String> = shortages
        .iter()
        .map(|s| {
            let key = ItemKey::new(s.product_id, s.variant_id);
            format!("{key}: {} wanted, {} available", s.requested, s.available)
        })
        .collect();
    Rejection::conflict("insufficient-stock", format!("not enough stock ({})", lines.join("; ")))
}

/// A count below what is held.
pub fn count_below_held(quantity: u32, held: u32) -> Rejection {
    let message = format!("{quantity} counted, but {held} pieces are held there: release reservations first");
    Rejection::conflict("count-below-held", message).at("quantity")
}

/// More pieces than an item can have.
pub fn too_many() -> Rejection {
    Rejection::invalid("too-many-pieces", "an item of stock has at most 1,000,000,000 pieces").at("quantity")
}

/// No pieces at all.
pub fn nothing_asked() -> Rejection {
    Rejection::invalid("nothing-asked", "ask for at least one piece of at least one item").at("items")
}

/// Thresholds out of order.
pub fn unordered_thresholds() -> Rejection {
    let message = "thresholds go critical ≤ low ≤ reorder; 0 switches one off";
    Rejection::invalid("unordered-thresholds", message).at("thresholds")
}

/// Somebody else changed it.
pub fn stale() -> Rejection {
    let message = "it was changed in between: read it again and repeat the change with its new ETag";
    Rejection::new(backbone::RejectionKind::Stale, "stale-version", message)
}

/// No such reservation.
pub fn no_such_reservation(id: ReservationId) -> Rejection {
    Rejection::not_found("no-such-reservation", format!("there is no reservation {id}"))
}

/// It belongs to another order or cart.
pub fn another_owner(id: ReservationId) -> Rejection {
    let message = format!("reservation {id} belongs to another order or cart: take a new id");
    Rejection::conflict("reservation-of-another", message)
}

/// It is over.
pub fn reservation_over(id: ReservationId) -> Rejection {
    let message = format!("reservation {id} is over, its pieces are free again: reserve anew with a new id");
    Rejection::conflict("reservation-released", message)
}

/// It is sold.
pub fn already_sold(id: ReservationId) -> Rejection {
    let message = format!("reservation {id} is sold: cancel or return the order instead");
    Rejection::conflict("reservation-confirmed", message)
}

/// Only what is held for an order can be sold.
pub fn not_an_orders(id: ReservationId) -> Rejection {
    let message = format!("reservation {id} is a cart's: only an order's can be confirmed");
    Rejection::conflict("reservation-of-a-cart", message)
}

/// The time asked for lies in the past, or too far in the future.
pub fn impossible_expiry() -> Rejection {
    let message = "the expiry must lie in the future and within the longest hold";
    Rejection::invalid("impossible-expiry", message).at("expiresAt")
}

/// The order was called off.
pub const ORDER_CLOSED: &str = "the order is closed";
/// Its release overtook it.
pub const RELEASED_BEFORE: &str = "the reservation was released before";
/// Its time was over before it could be served.
pub const TOO_LATE: &str = "the reservation's time was over before it could be served";
/// Something is not for sale any more.
pub const DISCONTINUED: &str = "an item is discontinued";
/// Too few pieces.
pub const SHORT: &str = "insufficient stock";
/// The id is another's.
pub const ID_TAKEN: &str = "the reservation's id belongs to another order or cart";
/// Nothing was asked for.
pub const EMPTY: &str = "the request names no pieces";
