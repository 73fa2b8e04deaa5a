//! What an operator can set.

use std::collections::BTreeMap;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings, each with a default that suits a market in the province of Jaén.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// VAT by category.
    #[garde(dive)]
    pub vat: VatTable,
    /// The most rows of one import.
    #[garde(range(min = 1, max = 100_000))]
    pub import_rows_max: usize,
    /// How many offers of an import are made at the same time.
    #[garde(range(min = 1, max = 64))]
    pub import_parallel: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { vat: VatTable::default(), import_rows_max: 1_000, import_parallel: 8 }
    }
}

/// VAT rates in basis points (2100 is 21 %).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct VatTable {
    /// For categories that the table does not name, in basis points (2100 is 21 %).
    #[garde(range(max = 10_000))]
    pub default_rate: u32,
    /// By category path: `alimentacion` holds for `alimentacion/miel` too, unless that has its own.
    /// A table that is written replaces this one as a whole.
    #[garde(custom(are_rates))]
    pub by_category: BTreeMap<String, u32>,
}

/// Basis points, none above the whole.
fn are_rates(rates: &BTreeMap<String, u32>, (): &()) -> garde::Result {
    match rates.iter().find(|(_, rate)| **rate > 10_000) {
        None => Ok(()),
        Some((category, _)) => Err(garde::Error::new(format!("{category:?} is above 10000 (100 %)"))),
    }
}

impl Default for VatTable {
    /// Spain, Ley 37/1992 as of 2026: olive oil, cheese and bread 4 %, other food 10 %, books 4 %,
    /// everything else 21 %.
    fn default() -> Self {
        let rates = [
            ("aceite", 400),
            ("aceite-de-oliva", 400),
            ("alimentacion", 1_000),
            ("alimentacion/aceite", 400),
            ("alimentacion/aceite-de-oliva", 400),
            ("alimentacion/pan", 400),
            ("alimentacion/queso", 400),
            ("artesania", 2_100),
            ("ceramica", 2_100),
            ("cheese", 400),
            ("crafts", 2_100),
            ("food", 1_000),
            ("honey", 1_000),
            ("libros", 400),
            ("miel", 1_000),
            ("olive-oil", 400),
            ("queso", 400),
        ];
        Self { default_rate: 2_100, by_category: rates.map(|(name, rate)| (name.to_owned(), rate)).into() }
    }
}

impl VatTable {
    /// The rate of a category path, in basis points: its own, or that of the nearest one above.
    pub fn rate(&self, category: &str) -> u32 {
        let mut path = category;
        loop {
            if let Some(rate) = self.by_category.get(path) {
                return *rate;
            }
            match path.rsplit_once('/') {
                Some((above, _)) => path = above,
                None => return self.default_rate,
            }
        }
    }
}
