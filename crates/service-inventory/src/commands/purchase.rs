//! Suppliers, and pieces that come in from them.

use std::sync::Arc;

use backbone::{Refusal, Rejection, Workspace};
use kernel::{PurchaseOrderId, WarehouseId};

use super::{Settled, item};
use crate::domain::stock::{Command, Receipt};
use crate::error;
use crate::purchasing::{PurchaseOrder, PurchaseStatus, Replenishing, Supplier};

/// What came in.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// Pieces; absent for all that are open.
    pub quantity: Option<u32>,
    /// Where they went; absent for the item's own warehouse.
    pub warehouse_id: Option<WarehouseId>,
    /// The shelf or bin there; absent where it stays.
    pub location: Option<String>,
}

/// Takes in pieces of a purchase order, all or some. More than were ordered are taken in as well:
/// they are there.
pub fn receive(
    ws: &mut Workspace<'_>,
    id: PurchaseOrderId,
    delivery: &Delivery,
) -> Result<PurchaseOrder, Refusal> {
    let Some(order) = ws.get::<PurchaseOrder>(id)? else {
        let message = format!("there is no purchase order {id}");
        return Err(Rejection::not_found("no-such-purchase-order", message).into());
    };
    let mut order = Arc::unwrap_or_clone(order);
    if !order.status.is_open() {
        let message = format!("purchase order {id} is {}: nothing is expected of it", order.status.as_str());
        return Err(Rejection::conflict("purchase-order-closed", message).into());
    }
    let quantity = delivery.quantity.unwrap_or(order.quantity.saturating_sub(order.received));
    let receipt = Receipt {
        purchase_order_id: id,
        warehouse_id: delivery.warehouse_id,
        location: delivery.location.clone(),
        quantity,
    };
    let at = ws.now();
    item::ask(ws, order.key(), Command::Receive(receipt, at))?;
    order.received = order.received.checked_add(quantity).ok_or_else(error::too_many)?;
    if order.received >= order.quantity {
        order.status = PurchaseStatus::Received;
        let replenishing = ws.get::<Replenishing>(order.key())?;
        if let Some(open) = replenishing.filter(|open| open.purchase_order_id == Some(id)) {
            ws.put(Replenishing { purchase_order_id: None, ..Arc::unwrap_or_clone(open) })?;
        }
    }
    ws.put(order.clone())?;
    Ok(order)
}

/// Writes a supplier. `seen` is the version that was read, 0 for a new one.
pub fn put_supplier(
    ws: &mut Workspace<'_>,
    supplier: &Supplier,
    seen: u64,
) -> Result<Settled<Supplier>, Refusal> {
    let version = ws.document_version::<Supplier>(supplier.supplier_id)?;
    if version != seen {
        return Err(error::stale().into());
    }
    ws.put(supplier.clone())?;
    Ok(Settled { version: version + 1, document: supplier.clone() })
}
