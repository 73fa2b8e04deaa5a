//! What decisions about an item need to know.

use std::collections::BTreeMap;

use contracts::inventory::ThresholdType;
use kernel::{ArtisanId, Duration, ProductId, ReservationId, Timestamp, VariantId, WarehouseId};
use serde::{Deserialize, Serialize};

use super::Rules;
use crate::domain::Owner;

/// What the item is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The product.
    pub product_id: ProductId,
    /// The variant of it; absent where the product has none.
    pub variant_id: Option<VariantId>,
    /// Who sells it.
    pub artisan_id: ArtisanId,
    /// What it is called.
    pub product_name: String,
}

/// The pieces in one warehouse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shelf {
    /// The shelf or bin.
    pub location: String,
    /// Pieces there.
    pub quantity: u32,
    /// Of these, held.
    pub reserved: u32,
}

impl Shelf {
    /// Pieces there that nobody holds.
    pub fn available(&self) -> u32 {
        self.quantity.saturating_sub(self.reserved)
    }
}

/// Pieces taken from one warehouse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pick {
    /// The warehouse.
    pub warehouse_id: WarehouseId,
    /// The shelf or bin there.
    pub location: String,
    /// Pieces.
    pub quantity: u32,
}

/// The pieces of some picks.
pub(super) fn pieces(picks: &[Pick]) -> u32 {
    picks.iter().map(|pick| pick.quantity).sum()
}

/// What a reservation holds of the item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// For whom.
    pub owner: Owner,
    /// Pieces that lie in stock for it.
    pub picks: Vec<Pick>,
    /// Pieces that it waits for (backorder).
    pub waiting: u32,
    /// Its place in the queue of those who wait.
    pub place: u64,
    /// It is sold: what comes in for it leaves at once.
    pub sold: bool,
}

impl Hold {
    /// Pieces in all.
    pub fn pieces(&self) -> u32 {
        pieces(&self.picks) + self.waiting
    }
}

/// Where the pieces of a hold would come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taking {
    /// From stock.
    pub picks: Vec<Pick>,
    /// Beyond stock.
    pub waiting: u32,
    /// When those beyond stock are promised; absent where there are none.
    pub promised_at: Option<Timestamp>,
}

/// What decisions need to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// What the item is; absent where no stock is kept of it.
    pub description: Option<Description>,
    /// Where pieces lie.
    pub shelves: BTreeMap<WarehouseId, Shelf>,
    /// Where pieces go that come back.
    pub home: WarehouseId,
    /// Who holds how many: open reservations, and sold ones that wait for pieces.
    pub holds: BTreeMap<ReservationId, Hold>,
    /// The next place in the queue of those who wait.
    pub next_place: u64,
    /// What the artisan settled.
    pub rules: Rules,
    /// Not for sale any more.
    pub discontinued: bool,
    /// When stock last came in.
    pub last_restock: Option<Timestamp>,
    /// Grows with each change of the pieces in stock: the ETag of a count.
    pub stock_revision: u64,
    /// Grows with each change of the rules: their ETag.
    pub rules_revision: u64,
}

const DAY_SECONDS: u64 = 24 * 60 * 60;

impl State {
    /// Pieces in stock.
    pub fn quantity(&self) -> u32 {
        self.shelves.values().map(|shelf| shelf.quantity).sum()
    }

    /// Of these, held.
    pub fn reserved(&self) -> u32 {
        self.shelves.values().map(|shelf| shelf.reserved).sum()
    }

    /// Pieces that can be bought.
    pub fn available(&self) -> u32 {
        self.shelves.values().map(Shelf::available).sum()
    }

    /// Pieces promised beyond stock.
    pub fn waiting(&self) -> u32 {
        self.holds.values().map(|hold| hold.waiting).sum()
    }

    /// The limits that a fall from `before` to `after` available pieces would cross.
    pub fn crossed(&self, before: u32, after: u32) -> impl Iterator<Item = (ThresholdType, u32)> {
        let limits = self.rules.thresholds.each();
        limits.into_iter().filter(move |(_, limit)| *limit > 0 && before > *limit && after <= *limit)
    }

    /// Where `quantity` pieces for `reservation` would come from; `Err` with the pieces that it
    /// could have where that is not enough. What the reservation holds already counts as free.
    pub fn taking(&self, reservation: ReservationId, quantity: u32, now: Timestamp) -> Result<Taking, u32> {
        if self.description.is_none() || self.discontinued {
            return Err(0);
        }
        let own = self.holds.get(&reservation);
        let free = self.free_shelves(own);
        let available: u32 = free.iter().map(|(_, shelf)| shelf.available()).sum();
        let from_stock = quantity.min(available);
        let beyond = quantity - from_stock;
        let Some(backorder) = self.rules.backorder.filter(|_| beyond > 0) else {
            return if beyond > 0 {
                Err(available)
            } else {
                Ok(Taking { picks: pick(&free, quantity), waiting: 0, promised_at: None })
            };
        };
        let others = self.waiting() - own.map_or(0, |hold| hold.waiting);
        let room = backorder.waiting_max.unwrap_or(super::QUANTITY_MAX).saturating_sub(others);
        if beyond > room {
            return Err(available.saturating_add(room));
        }
        let lead = Duration::from_secs(u64::from(backorder.lead_days) * DAY_SECONDS);
        Ok(Taking { picks: pick(&free, from_stock), waiting: beyond, promised_at: Some(now.plus(lead)) })
    }

    /// From where `quantity` pieces are taken that are known to be available.
    pub(super) fn picks(&self, quantity: u32) -> Vec<Pick> {
        pick(&self.free_shelves(None), quantity)
    }

    fn free_shelves(&self, own: Option<&Hold>) -> Vec<(WarehouseId, Shelf)> {
        let own = own.map_or(&[][..], |hold| &hold.picks);
        let freed = |(id, shelf): (&WarehouseId, &Shelf)| {
            let mine: u32 = own.iter().filter(|p| p.warehouse_id == *id).map(|p| p.quantity).sum();
            (*id, Shelf { reserved: shelf.reserved.saturating_sub(mine), ..shelf.clone() })
        };
        self.shelves.iter().map(freed).collect()
    }

    /// Where a warehouse keeps the item.
    pub(super) fn location(&self, warehouse: WarehouseId) -> &str {
        self.shelves.get(&warehouse).map_or("", |shelf| &shelf.location)
    }
}

/// One warehouse where it has enough, so that a parcel leaves from one place; else the fullest
/// first.
fn pick(shelves: &[(WarehouseId, Shelf)], quantity: u32) -> Vec<Pick> {
    let mut order: Vec<&(WarehouseId, Shelf)> =
        shelves.iter().filter(|(_, shelf)| shelf.available() > 0).collect();
    order
        .sort_by_key(|(id, shelf)| (shelf.available() < quantity, std::cmp::Reverse(shelf.available()), *id));
    let mut left = quantity;
    let mut picks = Vec::new();
    for (warehouse_id, shelf) in order {
        let taken = left.min(shelf.available());
        if taken > 0 {
            picks.push(Pick {
                warehouse_id: *warehouse_id,
                location: shelf.location.clone(),
                quantity: taken,
            });
            left -= taken;
        }
    }
    picks
}
