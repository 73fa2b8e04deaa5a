//! Giving back. Nothing to give back is success, and a release that overtakes its request refuses
//! that request when it comes.

use backbone::workspace::Key;
use backbone::{Refusal, Workspace};
use contracts::inventory::ReleaseReason;
use kernel::{OrderId, ReservationId};

use super::sold::Back;
use super::{RESERVATION_EXPIRY, item, sold};
use crate::book::OrderBook;
use crate::domain::reservation::{Command, Line, Reservation, State, Status};
use crate::domain::stock;
use crate::domain::{ItemKey, Owner};
use crate::error;

/// Releases a reservation whatever it is: what is held becomes free, what was sold under it and
/// not given back yet becomes stock again.
pub fn release(
    ws: &mut Workspace<'_>,
    reservation_id: ReservationId,
    owner: Owner,
    reason: ReleaseReason,
) -> Result<(), Refusal> {
    let state = ws.state::<Reservation>(reservation_id)?;
    if state.owner.is_some_and(|known| !known.is_same(&owner)) {
        return Err(error::another_owner(reservation_id).into());
    }
    let lines = match state.status {
        Status::Reserved => give_back(ws, reservation_id, reason)?,
        Status::Confirmed => take_back(ws, &state, reason)?,
        Status::Requested | Status::Refused | Status::Released => Vec::new(),
    };
    let owner = state.owner.unwrap_or(owner);
    let at = ws.now();
    let command = Command::Release { reservation_id, owner, lines, reason, at };
    ws.execute::<Reservation>(reservation_id, command)?;
    if state.status == Status::Reserved {
        ws.clear_timer(RESERVATION_EXPIRY, reservation_id);
    }
    Ok(())
}

/// Gives back what a reservation holds, and says what that was.
pub(super) fn give_back(
    ws: &mut Workspace<'_>,
    id: ReservationId,
    reason: ReleaseReason,
) -> Result<Vec<Line>, Refusal> {
    let held = ws.state::<Reservation>(id)?;
    if held.status != Status::Reserved {
        return Ok(Vec::new());
    }
    ws.need(held.lines.iter().map(|line| item::key(line.key())))?;
    let at = ws.now();
    let mut lines = Vec::with_capacity(held.lines.len());
    for key in held.lines.iter().map(Line::key) {
        let events = item::ask(ws, key, stock::Command::Release(id, reason, at))?;
        let state = item::state(ws, key)?;
        lines.extend(item::line(key, &state, &events));
    }
    Ok(lines)
}

/// Takes back what was sold under a reservation, less what the order gave back by itself. Where the
/// order is cancelled, all that it holds and bought comes back with it: changed lines have
/// reservations of their own, and their release nobody asks for.
fn take_back(ws: &mut Workspace<'_>, sold: &State, reason: ReleaseReason) -> Result<Vec<Line>, Refusal> {
    let Some(order_id) = sold.owner.and_then(|owner| owner.order_id()) else { return Ok(Vec::new()) };
    let book = ws.get::<OrderBook>(order_id)?;
    let mut book = book.map_or_else(|| OrderBook::new(order_id), std::sync::Arc::unwrap_or_clone);
    let cancelled = reason == ReleaseReason::OrderCancelled;
    if cancelled {
        ws.need(book.reservations.iter().map(Key::aggregate::<Reservation>))?;
        for other in book.reservations.clone().into_iter().filter(|id| *id != sold.id) {
            release_with_order(ws, &mut book, other, reason)?;
        }
    }
    let lines = if cancelled {
        let bought: Vec<ItemKey> = book.sold.keys().copied().collect();
        ws.need(bought.iter().map(|key| item::key(*key)))?;
        take_back_lines(ws, &mut book, sold.id, bought.into_iter().map(|key| (key, u32::MAX)))?
    } else {
        let own = sold.lines.iter().map(|line| (line.key(), line.pieces()));
        take_back_lines(ws, &mut book, sold.id, own)?
    };
    ws.put(book)?;
    Ok(lines)
}

/// Takes back at most these pieces, and no more than the order has.
fn take_back_lines(
    ws: &mut Workspace<'_>,
    book: &mut OrderBook,
    id: ReservationId,
    lines: impl IntoIterator<Item = (ItemKey, u32)>,
) -> Result<Vec<Line>, Refusal> {
    let mut taken = Vec::new();
    for (key, pieces) in lines {
        let quantity = pieces.min(book.sold(key));
        taken.extend(sold::take_back(ws, book, (key, quantity), Back::Cancelled(id))?);
    }
    Ok(taken)
}

/// Ends another reservation of an order that is cancelled.
fn release_with_order(
    ws: &mut Workspace<'_>,
    book: &mut OrderBook,
    id: ReservationId,
    reason: ReleaseReason,
) -> Result<(), Refusal> {
    let state = ws.state::<Reservation>(id)?;
    let lines = match state.status {
        Status::Reserved => {
            ws.clear_timer(RESERVATION_EXPIRY, id);
            give_back(ws, id, reason)?
        }
        Status::Confirmed => {
            let own = state.lines.iter().map(|line| (line.key(), line.pieces()));
            take_back_lines(ws, book, id, own)?
        }
        Status::Requested | Status::Refused | Status::Released => return Ok(()),
    };
    let at = ws.now();
    let command = Command::Release { reservation_id: id, owner: book.owner(), lines, reason, at };
    ws.execute::<Reservation>(id, command).map(drop)
}

/// Releases what an order still holds and has not bought: a payment failed for good. Of a confirmed
/// order that was the payment of a change.
pub fn release_unpaid(ws: &mut Workspace<'_>, order_id: OrderId) -> Result<(), Refusal> {
    let Some(book) = ws.get::<OrderBook>(order_id)? else { return Ok(()) };
    let reason = if book.confirmed { ReleaseReason::OrderChanged } else { ReleaseReason::OrderCancelled };
    ws.need(book.reservations.iter().map(Key::aggregate::<Reservation>))?;
    for id in &book.reservations {
        if ws.state::<Reservation>(id)?.status == Status::Reserved {
            release(ws, *id, book.owner(), reason)?;
        }
    }
    Ok(())
}

/// Ends a reservation whose time is over; late, twice or after its end that does nothing.
pub fn expire(ws: &mut Workspace<'_>, reservation_id: ReservationId) -> Result<(), Refusal> {
    let state = ws.state::<Reservation>(reservation_id)?;
    match state.owner {
        Some(owner) if state.status == Status::Reserved => {
            if state.expires_at > ws.now() {
                ws.set_timer(RESERVATION_EXPIRY, reservation_id, state.expires_at, 0);
                return Ok(());
            }
            release(ws, reservation_id, owner, ReleaseReason::ReservationExpired)
        }
        _ => Ok(()),
    }
}
