//! What happens to an item.

use contracts::inventory::{ReleaseReason, ThresholdType};
use kernel::{
    ArtisanId, OrderId, ProductId, PurchaseOrderId, ReservationId, ReturnId, Timestamp, UserId, VariantId,
    WarehouseId,
};
use serde::{Deserialize, Serialize};

use super::{Pick, Rules};
use crate::domain::Owner;

/// Why sold pieces are stock again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TakenBack {
    /// The customer sent them back.
    Return,
    /// Lines of the order changed before dispatch.
    OrderChange,
    /// The order was cancelled after it was confirmed.
    Cancellation,
}

/// What happened. Each says what it does to the pieces by itself, so that movements need no state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Event {
    /// Stock is kept of it from now on.
    Opened {
        /// The product.
        product_id: ProductId,
        /// The variant of it.
        variant_id: Option<VariantId>,
        /// Who sells it.
        artisan_id: ArtisanId,
        /// What it is called.
        product_name: String,
        /// Where its pieces lie.
        warehouse_id: WarehouseId,
        /// The shelf or bin there.
        location: String,
        /// Pieces at the start.
        quantity: u32,
        /// What the artisan settled.
        rules: Rules,
        /// When.
        at: Timestamp,
    },
    /// Somebody counted the pieces in a warehouse.
    Counted {
        /// The warehouse.
        warehouse_id: WarehouseId,
        /// The shelf or bin there.
        location: String,
        /// Pieces that should have been there.
        previous: u32,
        /// Pieces that are.
        quantity: u32,
        /// When.
        at: Timestamp,
    },
    /// Ordered pieces came in.
    Received {
        /// The order with the supplier.
        purchase_order_id: PurchaseOrderId,
        /// Where they went.
        warehouse_id: WarehouseId,
        /// The shelf or bin there.
        location: String,
        /// Pieces.
        quantity: u32,
        /// When.
        at: Timestamp,
    },
    /// A reservation holds these pieces, and no others any more.
    Held {
        /// The reservation.
        reservation_id: ReservationId,
        /// For whom.
        owner: Owner,
        /// Pieces from stock.
        picks: Vec<Pick>,
        /// Pieces from stock that it held before.
        replaces: u32,
        /// Pieces beyond stock.
        waiting: u32,
        /// When those are promised.
        promised_at: Option<Timestamp>,
        /// When the hold ends.
        expires_at: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// A reservation ended without a sale.
    Released {
        /// The reservation.
        reservation_id: ReservationId,
        /// For whom it was.
        owner: Owner,
        /// Pieces that are free again.
        picks: Vec<Pick>,
        /// Pieces that nobody waits for any more.
        waiting: u32,
        /// Why.
        reason: ReleaseReason,
        /// When.
        at: Timestamp,
    },
    /// Pieces were sold.
    Sold {
        /// The reservation that they were sold under.
        reservation_id: ReservationId,
        /// The order.
        order_id: OrderId,
        /// Who bought, where that is known.
        owner: Owner,
        /// Pieces that left stock.
        picks: Vec<Pick>,
        /// They were held before; else they were taken from what was free.
        held: bool,
        /// Pieces that are owed: they leave when they come in.
        waiting: u32,
        /// When.
        at: Timestamp,
    },
    /// Pieces came in for somebody who waited.
    Served {
        /// The reservation.
        reservation_id: ReservationId,
        /// For whom.
        owner: Owner,
        /// The pieces.
        picks: Vec<Pick>,
        /// They were sold already and left at once; else they are held.
        sold: bool,
        /// When.
        at: Timestamp,
    },
    /// Sold pieces are stock again.
    TakenBack {
        /// Why.
        why: TakenBack,
        /// The order.
        order_id: OrderId,
        /// The reservation that they were sold under, where it is given back.
        reservation_id: Option<ReservationId>,
        /// The return that they came with.
        return_id: Option<ReturnId>,
        /// Where they went.
        warehouse_id: WarehouseId,
        /// Pieces.
        quantity: u32,
        /// Pieces that were owed and are not any more.
        waiting: u32,
        /// When.
        at: Timestamp,
    },
    /// The available pieces fell to a limit.
    ThresholdReached {
        /// Which limit.
        kind: ThresholdType,
        /// The limit, in pieces.
        threshold: u32,
        /// Pieces sold in a day, times a thousand.
        average_daily_milli: u64,
        /// When.
        at: Timestamp,
    },
    /// Nothing is available any more.
    Depleted {
        /// The order that took the last pieces.
        order_id: Option<OrderId>,
        /// The account that took them.
        user_id: Option<UserId>,
        /// Pieces that went last.
        quantity: u32,
        /// When.
        at: Timestamp,
    },
    /// The artisan settled something.
    RulesSet {
        /// What holds from now on.
        rules: Rules,
        /// When.
        at: Timestamp,
    },
    /// It is not for sale any more.
    Discontinued {
        /// When.
        at: Timestamp,
    },
    /// It is for sale again.
    Resumed {
        /// When.
        at: Timestamp,
    },
    /// Another artisan sells it.
    Reassigned {
        /// Who.
        artisan_id: ArtisanId,
        /// When.
        at: Timestamp,
    },
}

impl Event {
    /// Its name in the store.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Opened { .. } => "opened",
            Event::Counted { .. } => "counted",
            Event::Received { .. } => "received",
            Event::Held { .. } => "held",
            Event::Released { .. } => "released",
            Event::Sold { .. } => "sold",
            Event::Served { .. } => "served",
            Event::TakenBack { .. } => "taken-back",
            Event::ThresholdReached { .. } => "threshold-reached",
            Event::Depleted { .. } => "depleted",
            Event::RulesSet { .. } => "rules-set",
            Event::Discontinued { .. } => "discontinued",
            Event::Resumed { .. } => "resumed",
            Event::Reassigned { .. } => "reassigned",
        }
    }
}
