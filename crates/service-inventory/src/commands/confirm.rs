//! Confirming: what an order holds is sold to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use backbone::workspace::Key;
use backbone::{Refusal, Rejection, Workspace};
use kernel::{OrderId, ReservationId};

use super::{RESERVATION_EXPIRY, item, order};
use crate::book::OrderBook;
use crate::domain::ItemKey;
use crate::domain::reservation::{Command, Line, Reservation, State, Status};
use crate::domain::stock::{self, Sale};
use crate::error;

/// Sells to an order what it holds. A hold that ran out just before is sold all the same while its
/// pieces are there; where they are not, the event goes to the dead letters: a paid order without
/// stock is an operator's business.
pub fn confirm_order(ws: &mut Workspace<'_>, order_id: OrderId) -> Result<(), Refusal> {
    let Some(book) = ws.get::<OrderBook>(order_id)? else { return Err(nothing_held(order_id).into()) };
    if book.confirmed {
        return Ok(());
    }
    ws.need(book.reservations.iter().map(Key::aggregate::<Reservation>))?;
    let mut open = Vec::new();
    let mut settled = false;
    let mut lost = None;
    for id in &book.reservations {
        let state = ws.state::<Reservation>(id)?;
        match state.status {
            Status::Reserved => open.push(*id),
            Status::Confirmed => settled = true,
            // A release that overtook the confirmation: the order is cancelled.
            Status::Released if book.closed_at.is_some() => settled = true,
            Status::Released => lost = Some(*id),
            Status::Requested | Status::Refused => {}
        }
    }
    if open.is_empty() && !settled {
        open.push(lost.ok_or_else(|| nothing_held(order_id))?);
    }
    let mut book = Arc::unwrap_or_clone(book);
    for id in open {
        sell(ws, &mut book, id)?;
    }
    book.confirmed = true;
    let changes: BTreeMap<ItemKey, u32> = std::mem::take(&mut book.changes);
    if book.closed_at.is_none() {
        order::settle(ws, &mut book, &changes)?;
    }
    ws.put(book)
}

fn nothing_held(order_id: OrderId) -> Rejection {
    Rejection::conflict("nothing-held", format!("order {order_id} is confirmed but no stock is held for it"))
}

/// Sells one reservation.
pub fn confirm_reservation(ws: &mut Workspace<'_>, id: ReservationId) -> Result<(), Refusal> {
    let state = ws.state::<Reservation>(id)?;
    let Some(owner) = state.owner else { return Err(error::no_such_reservation(id).into()) };
    let Some(order_id) = owner.order_id() else { return Err(error::not_an_orders(id).into()) };
    match state.status {
        Status::Confirmed => Ok(()),
        Status::Reserved => {
            let book = ws.get::<OrderBook>(order_id)?;
            let mut book = book.map_or_else(|| OrderBook::new(order_id), Arc::unwrap_or_clone);
            sell(ws, &mut book, id)?;
            ws.put(book)
        }
        _ => Err(error::reservation_over(id).into()),
    }
}

/// Sells a reservation and notes it in the order's book.
pub(super) fn sell(ws: &mut Workspace<'_>, book: &mut OrderBook, id: ReservationId) -> Result<(), Refusal> {
    let state = ws.state::<Reservation>(id)?;
    let from = if state.status == Status::Reserved { &state.lines } else { &state.given_back };
    ws.need(from.iter().map(|line| item::key(line.key())))?;
    let mut lines = Vec::with_capacity(from.len());
    for line in from {
        let sold = sell_line(ws, book, &state, line)?;
        book.add(line.key(), sold.pieces());
        lines.push(sold);
    }
    let at = ws.now();
    ws.execute::<Reservation>(id, Command::Confirm(lines, at))?;
    ws.clear_timer(RESERVATION_EXPIRY, id);
    Ok(())
}

fn sell_line(
    ws: &mut Workspace<'_>,
    book: &OrderBook,
    reservation: &State,
    line: &Line,
) -> Result<Line, Refusal> {
    let key = line.key();
    let command = if reservation.status == Status::Reserved {
        stock::Command::Sell(reservation.id, book.order_id, ws.now())
    } else {
        let moment = item::moment(ws, key, line.pieces())?;
        let sale = Sale {
            reservation_id: reservation.id,
            order_id: book.order_id,
            owner: book.owner(),
            quantity: line.pieces(),
        };
        stock::Command::SellFree(sale, moment)
    };
    let events = item::ask(ws, key, command)?;
    let state = item::state(ws, key)?;
    Ok(item::line(key, &state, &events).unwrap_or_else(|| line.clone()))
}
