//! What can be asked of an item.

use contracts::inventory::ReleaseReason;
use kernel::{
    ArtisanId, OrderId, ProductId, PurchaseOrderId, ReservationId, ReturnId, Timestamp, VariantId,
    WarehouseId,
};

use super::{Rules, TakenBack};
use crate::domain::Owner;

/// What a decision takes from outside: the time, and the item's demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Now.
    pub at: Timestamp,
    /// Pieces sold in a day, mean of the last 30 days, times a thousand.
    pub average_daily_milli: u64,
}

impl From<Timestamp> for Moment {
    /// A moment of a decision that cannot cross a limit.
    fn from(at: Timestamp) -> Self {
        Self { at, average_daily_milli: 0 }
    }
}

/// The first word on an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The product.
    pub product_id: ProductId,
    /// The variant of it.
    pub variant_id: Option<VariantId>,
    /// Who sells it.
    pub artisan_id: ArtisanId,
    /// What it is called.
    pub product_name: String,
    /// Where its pieces lie.
    pub warehouse_id: WarehouseId,
    /// The shelf or bin there.
    pub location: String,
    /// Pieces at the start.
    pub quantity: u32,
    /// What the artisan settled.
    pub rules: Rules,
    /// Not for sale any more.
    pub discontinued: bool,
}

/// A count of the pieces in a warehouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The warehouse; absent for the item's own.
    pub warehouse_id: Option<WarehouseId>,
    /// The shelf or bin there; absent where it stays.
    pub location: Option<String>,
    /// Pieces that are there.
    pub quantity: u32,
    /// The stock's revision that the counter saw; another one is a lost race.
    pub seen_revision: Option<u64>,
}

/// Pieces that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The order with the supplier.
    pub purchase_order_id: PurchaseOrderId,
    /// The warehouse; absent for the item's own.
    pub warehouse_id: Option<WarehouseId>,
    /// The shelf or bin there; absent where it stays.
    pub location: Option<String>,
    /// Pieces.
    pub quantity: u32,
}

/// Pieces wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRequest {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// For whom.
    pub owner: Owner,
    /// Pieces.
    pub quantity: u32,
    /// When the hold ends.
    pub expires_at: Timestamp,
}

/// Pieces sold that nobody held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// The reservation that they are sold under.
    pub reservation_id: ReservationId,
    /// The order.
    pub order_id: OrderId,
    /// Who buys.
    pub owner: Owner,
    /// Pieces.
    pub quantity: u32,
}

/// Sold pieces that become stock again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeBack {
    /// Why.
    pub why: TakenBack,
    /// The order.
    pub order_id: OrderId,
    /// The reservation that they were sold under, where that is known.
    pub reservation_id: Option<ReservationId>,
    /// The return that they came with.
    pub return_id: Option<ReturnId>,
    /// Pieces.
    pub quantity: u32,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Keep stock of it; nothing where that is done already.
    Open(Opening, Timestamp),
    /// Correct the pieces in a warehouse.
    Count(Count, Moment),
    /// Take in ordered pieces.
    Receive(Receipt, Timestamp),
    /// Hold so many pieces for a reservation, no more and no less.
    Hold(HoldRequest, Moment),
    /// Give back what a reservation holds; nothing where it holds nothing.
    Release(ReservationId, ReleaseReason, Timestamp),
    /// Sell what a reservation holds; nothing where it holds nothing unsold.
    Sell(ReservationId, OrderId, Timestamp),
    /// Sell pieces that are free.
    SellFree(Sale, Moment),
    /// Take sold pieces back.
    TakeBack(TakeBack, Timestamp),
    /// Settle something; the number is the rules' revision that was seen.
    SetRules(Rules, Option<u64>, Moment),
    /// Stop selling it.
    Discontinue(Timestamp),
    /// Sell it again.
    Resume(Timestamp),
    /// Give it to another artisan.
    Reassign(ArtisanId, Timestamp),
}
