//! Methods that were checked for an order: kept while it is under way, so that its charges can be
//! made, and no longer than their person.

use std::sync::Arc;

use backbone::{Refusal, Workspace};
use kernel::{CustomerId, OrderId};

use crate::views::{CheckedMethod, Payer};

/// Keeps a method; an earlier one of the same order is forgotten.
pub fn remember(ws: &mut Workspace<'_>, method: CheckedMethod) -> Result<(), Refusal> {
    let CheckedMethod { order_id, customer_id, .. } = method;
    let nobody = || Payer { customer_id, orders: Vec::new() };
    let mut payer = ws.get::<Payer>(customer_id)?.map_or_else(nobody, Arc::unwrap_or_clone);
    if !payer.orders.contains(&order_id) {
        payer.orders.push(order_id);
        ws.put(payer)?;
    }
    ws.overwrite(method);
    Ok(())
}

/// Forgets an order's method: nothing is charged for it any more.
pub fn forget(ws: &mut Workspace<'_>, order_id: OrderId) -> Result<(), Refusal> {
    let Some(method) = ws.get::<CheckedMethod>(order_id)? else { return Ok(()) };
    let payer = ws.get::<Payer>(method.customer_id)?;
    ws.delete::<CheckedMethod>(order_id);
    let Some(mut payer) = payer.map(Arc::unwrap_or_clone) else { return Ok(()) };
    payer.orders.retain(|known| *known != order_id);
    if payer.orders.is_empty() {
        ws.delete::<Payer>(payer.customer_id);
        return Ok(());
    }
    ws.put(payer)
}

/// Forgets all methods of a person.
pub fn forget_person(ws: &mut Workspace<'_>, customer_id: CustomerId) -> Result<(), Refusal> {
    let Some(payer) = ws.get::<Payer>(customer_id)? else { return Ok(()) };
    for order_id in &payer.orders {
        ws.delete::<CheckedMethod>(order_id);
    }
    ws.delete::<Payer>(customer_id);
    Ok(())
}
