//! What the replenishment saga changes, in the commit of the transition.

use std::sync::Arc;

use backbone::{Refusal, Workspace};
use contracts::inventory::{PurchaseOrderCreated, RestockScheduled};
use kernel::PurchaseOrderId;

use super::{Data, purchase_order};
use crate::purchasing::{PurchaseOrder, PurchaseStatus, Replenishing};

/// What it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A purchase order is made.
    CreatePurchaseOrder,
    /// It is taken back, unless pieces of it came in.
    CancelPurchaseOrder,
    /// It is known when its pieces come in.
    ScheduleRestock,
    /// That is not known any more.
    UnscheduleRestock,
    /// The saga has ended: another may run.
    End,
}

pub(super) fn perform(
    id: PurchaseOrderId,
    effect: Effect,
    data: &Data,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    match effect {
        Effect::CreatePurchaseOrder => create(id, data, ws),
        Effect::CancelPurchaseOrder => {
            advance(ws, id, PurchaseStatus::Cancelled)?;
            note(ws, data, |noted| noted.purchase_order_id = None)
        }
        Effect::ScheduleRestock => schedule(id, data, ws),
        Effect::UnscheduleRestock => advance(ws, id, PurchaseStatus::Created),
        Effect::End => note(ws, data, |noted| noted.saga_id = None),
    }
}

fn create(id: PurchaseOrderId, data: &Data, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let Some(order) = purchase_order(id, data, ws.now()) else { return Ok(()) };
    if ws.get::<PurchaseOrder>(id)?.is_some() {
        return Ok(());
    }
    ws.put(order.clone())?;
    note(ws, data, |noted| noted.purchase_order_id = Some(id))?;
    ws.publish(PurchaseOrderCreated {
        purchase_order_id: id,
        product_id: order.product_id,
        variant_id: order.variant_id,
        artisan_id: order.artisan_id,
        supplier_id: order.supplier_id,
        quantity: order.quantity,
        expected_at: order.expected_at,
    });
    Ok(())
}

fn schedule(id: PurchaseOrderId, data: &Data, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let Some(order) = ws.get::<PurchaseOrder>(id)? else { return Ok(()) };
    advance(ws, id, PurchaseStatus::Scheduled)?;
    ws.publish(RestockScheduled {
        purchase_order_id: id,
        product_id: data.item.product_id,
        variant_id: data.item.variant_id,
        quantity: order.quantity,
        scheduled_for: order.expected_at,
    });
    Ok(())
}

fn advance(ws: &mut Workspace<'_>, id: PurchaseOrderId, status: PurchaseStatus) -> Result<(), Refusal> {
    match ws.get::<PurchaseOrder>(id)? {
        Some(order) if order.status.is_open() => {
            ws.put(PurchaseOrder { status, ..Arc::unwrap_or_clone(order) })
        }
        _ => Ok(()),
    }
}

fn note(ws: &mut Workspace<'_>, data: &Data, change: impl FnOnce(&mut Replenishing)) -> Result<(), Refusal> {
    let noted = ws
        .get::<Replenishing>(data.item)?
        .map_or_else(|| Replenishing { item: data.item, ..Replenishing::default() }, Arc::unwrap_or_clone);
    let mut changed = noted.clone();
    change(&mut changed);
    if changed == noted { Ok(()) } else { ws.put(changed) }
}
