//! Pieces that an order bought: more of them, fewer of them, noted in its book.

use backbone::{Refusal, Workspace};
use kernel::{ReservationId, ReturnId};

use super::item;
use crate::book::OrderBook;
use crate::domain::ItemKey;
use crate::domain::reservation::Line;
use crate::domain::stock::{Command, Event, Pick, Sale, State, TakeBack, TakenBack};

/// Sells pieces that nobody holds.
pub(super) fn sell_more(
    ws: &mut Workspace<'_>,
    book: &mut OrderBook,
    (key, quantity): (ItemKey, u32),
    reservation_id: ReservationId,
) -> Result<(), Refusal> {
    let moment = item::moment(ws, key, quantity)?;
    let sale = Sale { reservation_id, order_id: book.order_id, owner: book.owner(), quantity };
    item::ask(ws, key, Command::SellFree(sale, moment))?;
    book.add(key, quantity);
    Ok(())
}

/// Why and under which name sold pieces come back.
#[derive(Clone, Copy)]
pub(super) enum Back {
    /// Lines changed.
    Changed(ReservationId),
    /// The customer sent them back.
    Returned(ReturnId),
    /// The order was cancelled.
    Cancelled(ReservationId),
}

impl Back {
    fn reservation_id(self) -> Option<ReservationId> {
        match self {
            Back::Changed(id) | Back::Cancelled(id) => Some(id),
            Back::Returned(_) => None,
        }
    }

    fn taken(self, book: &OrderBook, reservation_id: Option<ReservationId>, quantity: u32) -> TakeBack {
        let (why, return_id) = match self {
            Back::Changed(_) => (TakenBack::OrderChange, None),
            Back::Returned(id) => (TakenBack::Return, Some(id)),
            Back::Cancelled(_) => (TakenBack::Cancellation, None),
        };
        TakeBack { why, order_id: book.order_id, reservation_id, return_id, quantity }
    }
}

/// Takes pieces back from an order, and says what came. Pieces that are still owed to it are given
/// up before pieces that are there; what a customer sends back is never owed.
pub(super) fn take_back(
    ws: &mut Workspace<'_>,
    book: &mut OrderBook,
    (key, quantity): (ItemKey, u32),
    back: Back,
) -> Result<Option<Line>, Refusal> {
    let at = ws.now();
    let mut left = quantity;
    let mut events = Vec::new();
    if back.reservation_id().is_some() {
        let state = item::state(ws, key)?;
        for id in &book.reservations {
            let Some(owed) = state.holds.get(id).filter(|hold| hold.sold) else { continue };
            let given_up = owed.waiting.min(left);
            let taken = back.taken(book, Some(*id), given_up);
            events.extend(item::ask(ws, key, Command::TakeBack(taken, at))?);
            left -= given_up;
        }
    }
    let taken = back.taken(book, back.reservation_id(), left);
    events.extend(item::ask(ws, key, Command::TakeBack(taken, at))?);
    book.subtract(key, quantity);
    let state = item::state(ws, key)?;
    Ok(line(key, &state, &events))
}

fn line(key: ItemKey, state: &State, events: &[Event]) -> Option<Line> {
    let (mut there, mut owed) = (0, 0);
    for event in events {
        if let Event::TakenBack { quantity, waiting, .. } = event {
            there += quantity;
            owed += waiting;
        }
    }
    let warehouse_id = state.home;
    let location = state.shelves.get(&warehouse_id).map_or("", |shelf| &shelf.location).to_owned();
    let picks = if there > 0 { vec![Pick { warehouse_id, location, quantity: there }] } else { Vec::new() };
    let ItemKey { product_id, variant_id } = key;
    (there + owed > 0).then_some(Line {
        product_id,
        variant_id,
        warehouse_id,
        picks,
        waiting: owed,
        promised_at: None,
    })
}
