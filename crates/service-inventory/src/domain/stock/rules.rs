//! What an artisan settles about an item: limits, reordering, backorders.

use backbone::Rejection;
use contracts::inventory::ThresholdType;
use kernel::SupplierId;
use serde::{Deserialize, Serialize};

use crate::error;

/// The limits that are told when the available pieces fall to them; 0 switches one off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Thresholds {
    /// Time to order again.
    pub reorder: u32,
    /// Little left.
    pub low: u32,
    /// Almost nothing left.
    pub critical: u32,
}

impl Thresholds {
    /// All three, the highest first.
    pub fn each(self) -> [(ThresholdType, u32); 3] {
        [
            (ThresholdType::Reorder, self.reorder),
            (ThresholdType::Low, self.low),
            (ThresholdType::Critical, self.critical),
        ]
    }
}

/// How an item is sold beyond its stock, where it is made to order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backorder {
    /// Days from the reservation to the promised date.
    pub lead_days: u32,
    /// The most pieces that may wait at once; absent where there is no limit.
    pub waiting_max: Option<u32>,
}

/// What an artisan settles about an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rules {
    /// The limits that are told.
    pub thresholds: Thresholds,
    /// Whether purchase orders are made without asking; absent where the artisan's setting decides.
    pub auto_restock: Option<bool>,
    /// The fewest pieces that a purchase order asks for.
    pub reorder_quantity: Option<u32>,
    /// Whom to buy from; absent where the artisan's first active supplier is taken.
    pub supplier_id: Option<SupplierId>,
    /// How it is sold beyond stock; absent where it is not.
    pub backorder: Option<Backorder>,
}

impl Rules {
    /// The rules, where they make sense.
    pub fn checked(self) -> Result<Self, Rejection> {
        let Thresholds { reorder, low, critical } = self.thresholds;
        // A limit that is off does not stand in the way of the others.
        let on: Vec<u32> = [critical, low, reorder].into_iter().filter(|limit| *limit > 0).collect();
        if on.is_sorted() { Ok(self) } else { Err(error::unordered_thresholds()) }
    }
}
