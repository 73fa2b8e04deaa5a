//! The ledger of movements: every change of pieces with its cause and order, folded from the items'
//! events. It may lag a moment behind the stock.

use std::sync::Arc;

use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use backbone::projection::{Fact, Follows, Projection, View};
use backbone::workspace::AggregateKind;
use backbone::{Aggregate, Document, Refusal};
use kernel::{ErrorKind, OrderId, ProductId, PurchaseOrderId, ReservationId, ReturnId, Timestamp, VariantId};
use serde::{Deserialize, Serialize};

use crate::domain::ItemKey;
use crate::domain::stock::{Cause, Item, movement};

/// Where movements are kept.
pub const MOVEMENTS: Collection = Collection {
    name: "movements",
    columns: &[
        Column::indexed("product_id", ColumnKind::Uuid),
        Column::plain("variant_id", ColumnKind::Uuid),
        Column::indexed("order_id", ColumnKind::Uuid),
        Column::plain("cause", ColumnKind::Text),
        Column::plain("quantity", ColumnKind::Integer),
        Column::plain("reserved", ColumnKind::Integer),
        Column::indexed("at", ColumnKind::Timestamp),
    ],
    children: &[],
};

/// A movement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Movement {
    /// `<item>/<its place in the item's history>`.
    pub id: String,
    /// The product.
    pub product_id: ProductId,
    /// The variant of it.
    pub variant_id: Option<VariantId>,
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
    /// The event or command that caused it.
    pub caused_by: String,
    /// When.
    pub at: Timestamp,
}

impl Document for Movement {
    const COLLECTION: &'static Collection = &MOVEMENTS;

    fn id(&self) -> String {
        self.id.clone()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![
            self.product_id.0.into(),
            self.variant_id.map(|id| id.0).into(),
            self.order_id.map(|id| id.0).into(),
            self.cause.as_str().into(),
            self.quantity.into(),
            self.reserved.into(),
            self.at.into(),
        ]
    }
}

/// Follows the items.
pub fn projection() -> Projection {
    Projection { name: "movements", follows: Follows::Own, collections: &[&MOVEMENTS], fold: Arc::new(fold) }
}

fn fold(fact: Fact<'_>, view: &mut View<'_, '_>) -> Result<(), Refusal> {
    let Fact::Own(recorded) = fact else { return Ok(()) };
    let Some(item) = recorded.stream.strip_prefix(Item::NAME).and_then(|rest| rest.strip_prefix('-')) else {
        return Ok(());
    };
    let undecodable = |e: String| Refusal::failed(ErrorKind::Undecodable, e);
    let key: ItemKey = item.parse().map_err(|e| undecodable(format!("stream {}: {e}", recorded.stream)))?;
    let stored = &recorded.event;
    let event = AggregateKind::<Item>::lifted(stored).map_err(undecodable)?;
    let Some(moved) = movement(&event) else { return Ok(()) };
    view.put(Movement {
        id: format!("{item}/{:020}", stored.version),
        product_id: key.product_id,
        variant_id: key.variant_id,
        cause: moved.cause,
        quantity: moved.quantity,
        reserved: moved.reserved,
        order_id: moved.order_id,
        reservation_id: moved.reservation_id,
        purchase_order_id: moved.purchase_order_id,
        return_id: moved.return_id,
        caused_by: stored.causation_id.clone(),
        at: stored.at,
    })
}
