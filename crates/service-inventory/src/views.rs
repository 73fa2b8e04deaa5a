//! What queries read, written in the commit of the change: items of stock and reservations.

use std::collections::BTreeMap;

use backbone::Document;
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use contracts::calls::VariantStock;
use contracts::inventory::{Priority, ReleaseReason};
use contracts::shared::Shortage;
use kernel::{ArtisanId, ProductId, ReservationId, Timestamp, VariantId, WarehouseId};
use serde::{Deserialize, Serialize};

use crate::domain::Owner;
use crate::domain::reservation::{self, Line, Status};
use crate::domain::stock::{self, Rules, Shelf};

/// Where the items are kept, by [`ItemKey`](crate::domain::ItemKey).
pub const STOCK: Collection = Collection {
    name: "stock",
    columns: &[
        Column::indexed("product_id", ColumnKind::Uuid),
        Column::indexed("variant_id", ColumnKind::Uuid),
        Column::indexed("artisan_id", ColumnKind::Uuid),
        Column::plain("product_name", ColumnKind::Text),
        Column::plain("quantity", ColumnKind::Integer),
        Column::plain("reserved", ColumnKind::Integer),
        Column::plain("available", ColumnKind::Integer),
        Column::plain("waiting", ColumnKind::Integer),
        Column::plain("discontinued", ColumnKind::Bool),
    ],
    children: &[],
};

/// An item as queries see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockView {
    /// `<productId>` or `<productId>.<variantId>`.
    pub id: String,
    /// The product.
    pub product_id: ProductId,
    /// The variant of it; absent where the product has none.
    pub variant_id: Option<VariantId>,
    /// Who sells it.
    pub artisan_id: ArtisanId,
    /// What it is called.
    pub product_name: String,
    /// Pieces in stock.
    pub quantity: u32,
    /// Of these, held.
    pub reserved: u32,
    /// Pieces that can be bought.
    pub available: u32,
    /// Pieces promised beyond stock.
    pub waiting: u32,
    /// Where they lie.
    pub warehouses: BTreeMap<WarehouseId, Shelf>,
    /// What the artisan settled.
    pub rules: Rules,
    /// Not for sale any more.
    pub discontinued: bool,
    /// When stock last came in.
    pub last_restock: Option<Timestamp>,
    /// The ETag of a count.
    pub stock_revision: u64,
    /// The ETag of the rules.
    pub rules_revision: u64,
}

impl StockView {
    /// What queries see; `None` where no stock is kept.
    pub fn of(id: &str, state: &stock::State) -> Option<Self> {
        let item = state.description.as_ref()?;
        Some(Self {
            id: id.to_owned(),
            product_id: item.product_id,
            variant_id: item.variant_id,
            artisan_id: item.artisan_id,
            product_name: item.product_name.clone(),
            quantity: state.quantity(),
            reserved: state.reserved(),
            available: state.available(),
            waiting: state.waiting(),
            warehouses: state.shelves.clone(),
            rules: state.rules,
            discontinued: state.discontinued,
            last_restock: state.last_restock,
            stock_revision: state.stock_revision,
            rules_revision: state.rules_revision,
        })
    }

    /// What others may know of it.
    pub fn availability(&self) -> VariantStock {
        VariantStock {
            product_id: self.product_id,
            variant_id: self.variant_id,
            quantity: self.quantity,
            reserved: self.reserved,
            available: self.available,
            backorder: self.rules.backorder.is_some(),
        }
    }
}

impl Document for StockView {
    const COLLECTION: &'static Collection = &STOCK;

    fn id(&self) -> String {
        self.id.clone()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![
            self.product_id.0.into(),
            self.variant_id.map(|id| id.0).into(),
            self.artisan_id.0.into(),
            self.product_name.as_str().into(),
            self.quantity.into(),
            self.reserved.into(),
            self.available.into(),
            self.waiting.into(),
            self.discontinued.into(),
        ]
    }
}

/// Where the reservations are kept.
pub const RESERVATIONS: Collection = Collection {
    name: "reservations",
    columns: &[
        Column::indexed("order_id", ColumnKind::Uuid),
        Column::plain("cart_id", ColumnKind::Uuid),
        Column::indexed("status", ColumnKind::Text),
        Column::indexed("expires_at", ColumnKind::Timestamp),
        Column::plain("pieces", ColumnKind::Integer),
    ],
    children: &["lines"],
};

/// A reservation as queries see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationView {
    /// Its id.
    pub reservation_id: ReservationId,
    /// Where it is in its life.
    pub status: Status,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// Who is served first.
    pub priority: Option<Priority>,
    /// What it holds, or held.
    pub lines: Vec<Line>,
    /// When the hold ends; nothing where there is none.
    pub expires_at: Option<Timestamp>,
    /// What it lacked when it was refused.
    pub shortages: Vec<Shortage>,
    /// Why it was refused.
    pub refused_for: Option<String>,
    /// Why it was released.
    pub released_for: Option<ReleaseReason>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl ReservationView {
    /// What queries see.
    pub fn of(id: &str, state: &reservation::State) -> Self {
        Self {
            reservation_id: id.parse().unwrap_or(state.id),
            status: state.status,
            owner: state.owner,
            priority: state.priority,
            lines: state.lines.clone(),
            expires_at: (state.status == Status::Reserved).then_some(state.expires_at),
            shortages: state.shortages.clone(),
            refused_for: state.refused_for.clone(),
            released_for: state.released_for,
            updated_at: state.updated_at,
        }
    }
}

impl Document for ReservationView {
    const COLLECTION: &'static Collection = &RESERVATIONS;

    fn id(&self) -> String {
        self.reservation_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        let cart = match self.owner {
            Some(Owner::Cart { cart_id, .. }) => Some(cart_id.0),
            _ => None,
        };
        vec![
            self.owner.and_then(|owner| owner.order_id()).map(|id| id.0).into(),
            cart.into(),
            self.status.as_str().into(),
            self.expires_at.into(),
            self.lines.iter().map(Line::pieces).sum::<u32>().into(),
        ]
    }
}
