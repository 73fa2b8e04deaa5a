//! What an event does to the pieces: the ledger of an item. The sums of all movements are the
//! quantity and the reserved pieces.

use kernel::{OrderId, PurchaseOrderId, ReservationId, ReturnId};
use serde::{Deserialize, Serialize};

use super::state::pieces;
use super::{Event, TakenBack};

/// Why pieces moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Stock was opened with them.
    Opening,
    /// They were counted.
    Count,
    /// They came in from a supplier.
    Restock,
    /// They are held.
    Reservation,
    /// A hold ended without a sale.
    Release,
    /// They were sold.
    Sale,
    /// They came in for somebody who waited.
    Backorder,
    /// A customer sent them back.
    Return,
    /// Lines of an order changed.
    OrderChange,
    /// A confirmed order was cancelled.
    Cancellation,
}

impl Cause {
    /// The cause as events and answers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Opening => "opening",
            Cause::Count => "count",
            Cause::Restock => "restock",
            Cause::Reservation => "reservation",
            Cause::Release => "release",
            Cause::Sale => "sale",
            Cause::Backorder => "backorder",
            Cause::Return => "return",
            Cause::OrderChange => "order-change",
            Cause::Cancellation => "cancellation",
        }
    }
}

impl From<TakenBack> for Cause {
    fn from(why: TakenBack) -> Self {
        match why {
            TakenBack::Return => Cause::Return,
            TakenBack::OrderChange => Cause::OrderChange,
            TakenBack::Cancellation => Cause::Cancellation,
        }
    }
}

/// Pieces that moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Why.
    pub cause: Cause,
    /// Pieces in stock, more or fewer.
    pub quantity: i64,
    /// Pieces held, more or fewer.
    pub reserved: i64,
    /// The order, where there is one.
    pub order_id: Option<OrderId>,
    /// The reservation, where there is one.
    pub reservation_id: Option<ReservationId>,
    /// The order with the supplier, where there is one.
    pub purchase_order_id: Option<PurchaseOrderId>,
    /// The return, where there is one.
    pub return_id: Option<ReturnId>,
}

impl Movement {
    fn new(cause: Cause, quantity: i64, reserved: i64) -> Self {
        Self {
            cause,
            quantity,
            reserved,
            order_id: None,
            reservation_id: None,
            purchase_order_id: None,
            return_id: None,
        }
    }

    fn of(self, reservation: Option<ReservationId>, order: Option<OrderId>) -> Self {
        Self { reservation_id: reservation, order_id: order, ..self }
    }
}

/// What `event` does to the pieces; `None` where it moves none.
pub fn movement(event: &Event) -> Option<Movement> {
    let moved = match event {
        Event::Opened { quantity, .. } => Movement::new(Cause::Opening, i64::from(*quantity), 0),
        Event::Counted { previous, quantity, .. } => {
            Movement::new(Cause::Count, i64::from(*quantity) - i64::from(*previous), 0)
        }
        Event::Received { purchase_order_id, quantity, .. } => Movement {
            purchase_order_id: Some(*purchase_order_id),
            ..Movement::new(Cause::Restock, i64::from(*quantity), 0)
        },
        Event::Held { reservation_id, owner, picks, replaces, .. } => {
            let more = i64::from(pieces(picks)) - i64::from(*replaces);
            Movement::new(Cause::Reservation, 0, more).of(Some(*reservation_id), owner.order_id())
        }
        Event::Released { reservation_id, owner, picks, .. } => {
            let fewer = -i64::from(pieces(picks));
            Movement::new(Cause::Release, 0, fewer).of(Some(*reservation_id), owner.order_id())
        }
        Event::Sold { reservation_id, order_id, picks, held, .. } => {
            let fewer = -i64::from(pieces(picks));
            let released = if *held { fewer } else { 0 };
            Movement::new(Cause::Sale, fewer, released).of(Some(*reservation_id), Some(*order_id))
        }
        Event::Served { reservation_id, owner, picks, sold, .. } => {
            let served = i64::from(pieces(picks));
            let (quantity, reserved) = if *sold { (-served, 0) } else { (0, served) };
            Movement::new(Cause::Backorder, quantity, reserved).of(Some(*reservation_id), owner.order_id())
        }
        Event::TakenBack { why, order_id, reservation_id, return_id, quantity, .. } => Movement {
            return_id: *return_id,
            ..Movement::new((*why).into(), i64::from(*quantity), 0).of(*reservation_id, Some(*order_id))
        },
        Event::ThresholdReached { .. }
        | Event::Depleted { .. }
        | Event::RulesSet { .. }
        | Event::Discontinued { .. }
        | Event::Resumed { .. }
        | Event::Reassigned { .. } => return None,
    };
    (moved.quantity != 0 || moved.reserved != 0).then_some(moved)
}
