//! How commands reach an item: with its demand where a limit may be crossed, and with word to the
//! reservations that it serves.

use std::sync::Arc;

use backbone::workspace::Key;
use backbone::{Refusal, Workspace};

use crate::demand::Demand;
use crate::domain::ItemKey;
use crate::domain::reservation::{self, Line, Reservation};
use crate::domain::stock::{self, Command, Event, Item, Moment};

/// The item's key in the workspace.
pub(super) fn key(item: ItemKey) -> Key {
    Key::aggregate::<Item>(item)
}

/// The item's state.
pub(super) fn state(ws: &mut Workspace<'_>, item: ItemKey) -> Result<Arc<stock::State>, Refusal> {
    ws.state::<Item>(item)
}

/// Now, with the item's demand where `taken` pieces fewer could cross a limit: the usual sale does
/// not look.
pub(super) fn moment(ws: &mut Workspace<'_>, item: ItemKey, taken: u32) -> Result<Moment, Refusal> {
    let state = state(ws, item)?;
    let before = state.available();
    let crosses = state.crossed(before, before.saturating_sub(taken)).next().is_some();
    if crosses { informed(ws, item) } else { Ok(ws.now().into()) }
}

/// Now, with the item's demand.
pub(super) fn informed(ws: &mut Workspace<'_>, item: ItemKey) -> Result<Moment, Refusal> {
    let at = ws.now();
    let demand = ws.get::<Demand>(item)?;
    Ok(Moment { at, average_daily_milli: demand.map_or(0, |demand| demand.average_daily_milli(at)) })
}

/// Asks an item, and tells the reservations that got pieces they waited for.
pub(super) fn ask(ws: &mut Workspace<'_>, item: ItemKey, command: Command) -> Result<Vec<Event>, Refusal> {
    let events = ws.execute::<Item>(item, command)?;
    let at = ws.now();
    for event in &events {
        if let Event::Served { reservation_id, picks, .. } = event {
            let served = reservation::Command::Serve(item, picks.clone(), at);
            ws.execute::<Reservation>(reservation_id, served)?;
        }
    }
    Ok(events)
}

/// What an item's events did to the pieces of a reservation, as a line of it.
pub(super) fn line(item: ItemKey, state: &stock::State, events: &[Event]) -> Option<Line> {
    let (picks, waiting, promised_at) = events.iter().find_map(|event| match event {
        Event::Held { picks, waiting, promised_at, .. } => Some((picks.clone(), *waiting, *promised_at)),
        Event::Sold { picks, waiting, .. } | Event::Released { picks, waiting, .. } => {
            Some((picks.clone(), *waiting, None))
        }
        _ => None,
    })?;
    let ItemKey { product_id, variant_id } = item;
    Some(Line { product_id, variant_id, warehouse_id: state.home, picks, waiting, promised_at })
}
