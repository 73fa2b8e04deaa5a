//! What else befalls an order: demand, changed lines, returns, its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use backbone::workspace::Key;
use backbone::{Refusal, Workspace};
use kernel::{OrderId, ReturnId, Timestamp};

use super::sold::{Back, sell_more, take_back};
use super::{confirm, item};
use crate::book::OrderBook;
use crate::demand::Demand;
use crate::domain::ItemKey;
use crate::domain::reservation::{Reservation, Status};

fn book(ws: &mut Workspace<'_>, order_id: OrderId) -> Result<OrderBook, Refusal> {
    let book = ws.get::<OrderBook>(order_id)?;
    Ok(book.map_or_else(|| OrderBook::new(order_id), Arc::unwrap_or_clone))
}

/// Counts what was ordered, whatever becomes of the order.
pub fn count_demand(ws: &mut Workspace<'_>, items: &[(ItemKey, u32)], at: Timestamp) -> Result<(), Refusal> {
    ws.need(items.iter().map(|(item, _)| Key::document::<Demand>(item)))?;
    for (item, pieces) in items {
        let demand = ws.get::<Demand>(item)?;
        let mut demand = demand.map_or_else(|| Demand::new(*item), Arc::unwrap_or_clone);
        demand.count(at, *pieces);
        ws.put(demand)?;
    }
    Ok(())
}

/// The order was called off: later requests for it are refused. What it holds or bought is given
/// back when its saga asks.
pub fn close_order(ws: &mut Workspace<'_>, order_id: OrderId) -> Result<(), Refusal> {
    let mut book = book(ws, order_id)?;
    if book.closed_at.is_some() {
        return Ok(());
    }
    book.closed_at = Some(ws.now());
    ws.put(book)
}

/// The pieces that an order is to have of the items that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemChanges(BTreeMap<ItemKey, u32>);

impl ItemChanges {
    /// Items that are gone, and items that are new or have another quantity.
    pub fn new(
        gone: impl IntoIterator<Item = ItemKey>,
        wanted: impl IntoIterator<Item = (ItemKey, u32)>,
    ) -> Self {
        let mut changes: BTreeMap<ItemKey, u32> = gone.into_iter().map(|item| (item, 0)).collect();
        changes.extend(wanted);
        Self(changes)
    }
}

/// Lines of an order changed: what was reserved for the change is sold, and sold pieces follow.
/// Before the order is confirmed, that waits for the confirmation; of a cancelled order nothing changes
/// any more.
pub fn change_items(ws: &mut Workspace<'_>, order_id: OrderId, changes: &ItemChanges) -> Result<(), Refusal> {
    let mut book = book(ws, order_id)?;
    if book.closed_at.is_some() {
        return Ok(());
    }
    if !book.confirmed {
        book.changes.extend(&changes.0);
        return ws.put(book);
    }
    ws.need(book.reservations.iter().map(Key::aggregate::<Reservation>))?;
    for id in book.reservations.clone() {
        if ws.state::<Reservation>(id)?.status == Status::Reserved {
            confirm::sell(ws, &mut book, id)?;
        }
    }
    settle(ws, &mut book, &changes.0)?;
    ws.put(book)
}

/// Makes what was sold of some items what it is to be.
pub(super) fn settle(
    ws: &mut Workspace<'_>,
    book: &mut OrderBook,
    wanted: &BTreeMap<ItemKey, u32>,
) -> Result<(), Refusal> {
    ws.need(wanted.keys().map(|item| item::key(*item)))?;
    let Some(last) = book.reservations.last().copied() else { return Ok(()) };
    for (key, target) in wanted {
        let sold = book.sold(*key);
        if *target > sold {
            sell_more(ws, book, (*key, target - sold), last)?;
        } else if *target < sold {
            take_back(ws, book, (*key, sold - target), Back::Changed(last))?;
        }
    }
    Ok(())
}

/// Returned pieces go back on stock, once per return.
pub fn return_items(
    ws: &mut Workspace<'_>,
    order_id: OrderId,
    return_id: ReturnId,
    items: &[(ItemKey, u32)],
) -> Result<(), Refusal> {
    ws.need(items.iter().map(|(item, _)| item::key(*item)).chain([Key::document::<OrderBook>(order_id)]))?;
    let mut book = book(ws, order_id)?;
    if book.returns.contains(&return_id) {
        return Ok(());
    }
    for item in items {
        take_back(ws, &mut book, *item, Back::Returned(return_id))?;
    }
    book.returns.push(return_id);
    ws.put(book)
}
