//! How much of an item is ordered: pieces a day, over the last 30 days.

use std::collections::BTreeMap;

use backbone::Document;
use backbone::collection::{Collection, ColumnValue};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::ItemKey;

/// Where demand is kept, by item.
pub const DEMAND: Collection = Collection { name: "demand", columns: &[], children: &[] };

/// The days that count.
pub const DAYS: i64 = 30;
const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// An item's demand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Demand {
    /// The item.
    pub item: ItemKey,
    /// Pieces ordered, by day since 1970 (UTC).
    pub days: BTreeMap<i64, u64>,
}

fn day(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(DAY_MICROS)
}

impl Demand {
    /// Nothing was ordered yet.
    pub fn new(item: ItemKey) -> Self {
        Self { item, days: BTreeMap::new() }
    }

    /// Counts pieces that were ordered, and forgets days that no longer count.
    pub fn count(&mut self, at: Timestamp, pieces: u32) {
        *self.days.entry(day(at)).or_insert(0) += u64::from(pieces);
        let newest = self.days.last_key_value().map_or(0, |(day, _)| *day);
        self.days.retain(|day, _| *day > newest - DAYS);
    }

    /// Pieces a day, mean of the last 30 days (today included), times a thousand.
    pub fn average_daily_milli(&self, now: Timestamp) -> u64 {
        let today = day(now);
        let pieces: u64 = self.days.range(today - DAYS + 1..=today).map(|(_, pieces)| pieces).sum();
        pieces * 1_000 / DAYS.unsigned_abs()
    }
}

impl Document for Demand {
    const COLLECTION: &'static Collection = &DEMAND;

    fn id(&self) -> String {
        self.item.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}
