//! What an event changes.

use kernel::{ReservationId, WarehouseId};

use super::state::pieces;
use super::{Description, Event, Hold, Pick, Shelf, State};

pub(super) fn evolve(mut state: State, event: &Event) -> State {
    match event {
        Event::Opened { .. } => open(&mut state, event),
        Event::Counted { warehouse_id, location, quantity, .. } => {
            let shelf = shelf(&mut state, *warehouse_id, location);
            shelf.quantity = *quantity;
            state.stock_revision += 1;
        }
        Event::Received { warehouse_id, location, quantity, at, .. } => {
            shelf(&mut state, *warehouse_id, location).quantity += quantity;
            state.last_restock = Some(*at);
            state.stock_revision += 1;
        }
        Event::Held { .. } => hold(&mut state, event),
        Event::Released { reservation_id, .. } => {
            let released = state.holds.remove(reservation_id);
            unreserve(&mut state, released.map_or(Vec::new(), |hold| hold.picks).as_slice());
        }
        Event::Sold { .. } => sell(&mut state, event),
        Event::Served { reservation_id, picks, sold, .. } => {
            serve(&mut state, *reservation_id, picks, *sold);
        }
        Event::TakenBack { reservation_id, warehouse_id, quantity, waiting, .. } => {
            let location = state.location(*warehouse_id).to_owned();
            shelf(&mut state, *warehouse_id, &location).quantity += quantity;
            if let Some(id) = reservation_id {
                owe_less(&mut state, *id, *waiting);
            }
            state.stock_revision += 1;
        }
        Event::RulesSet { rules, .. } => {
            state.rules = *rules;
            state.rules_revision += 1;
        }
        Event::Discontinued { .. } => state.discontinued = true,
        Event::Resumed { .. } => state.discontinued = false,
        Event::Reassigned { artisan_id, .. } => {
            if let Some(description) = &mut state.description {
                description.artisan_id = *artisan_id;
            }
        }
        Event::ThresholdReached { .. } | Event::Depleted { .. } => {}
    }
    state
}

fn open(state: &mut State, event: &Event) {
    let Event::Opened { product_id, variant_id, artisan_id, product_name, rules, at, .. } = event else {
        return;
    };
    let Event::Opened { warehouse_id, location, quantity, .. } = event else { return };
    state.description = Some(Description {
        product_id: *product_id,
        variant_id: *variant_id,
        artisan_id: *artisan_id,
        product_name: product_name.clone(),
    });
    state.home = *warehouse_id;
    state.rules = *rules;
    state.rules_revision = 1;
    state.stock_revision = 1;
    state.last_restock = (*quantity > 0).then_some(*at);
    shelf(state, *warehouse_id, location).quantity = *quantity;
}

fn hold(state: &mut State, event: &Event) {
    let Event::Held { reservation_id, owner, picks, waiting, .. } = event else { return };
    let before = state.holds.remove(reservation_id);
    unreserve(state, before.as_ref().map_or(&[], |hold| &hold.picks));
    reserve(state, picks);
    let place = before.filter(|hold| hold.waiting > 0).map_or(state.next_place, |hold| hold.place);
    state.next_place = state.next_place.max(place + u64::from(*waiting > 0));
    let hold = Hold { owner: *owner, picks: picks.clone(), waiting: *waiting, place, sold: false };
    state.holds.insert(*reservation_id, hold);
}

fn sell(state: &mut State, event: &Event) {
    let Event::Sold { reservation_id, owner, picks, held, waiting, .. } = event else { return };
    let before = state.holds.remove(reservation_id);
    if *held {
        unreserve(state, picks);
    }
    take(state, picks);
    let owed = waiting + before.as_ref().filter(|hold| hold.sold).map_or(0, |hold| hold.waiting);
    if owed > 0 {
        let place = before.map_or(state.next_place, |hold| hold.place);
        state.next_place = state.next_place.max(place + 1);
        let hold = Hold { owner: *owner, picks: Vec::new(), waiting: owed, place, sold: true };
        state.holds.insert(*reservation_id, hold);
    }
}

fn serve(state: &mut State, id: ReservationId, picks: &[Pick], sold: bool) {
    if sold {
        take(state, picks);
        owe_less(state, id, pieces(picks));
        return;
    }
    reserve(state, picks);
    if let Some(hold) = state.holds.get_mut(&id) {
        hold.waiting = hold.waiting.saturating_sub(pieces(picks));
        for pick in picks {
            match hold.picks.iter_mut().find(|held| held.warehouse_id == pick.warehouse_id) {
                Some(held) => held.quantity += pick.quantity,
                None => hold.picks.push(pick.clone()),
            }
        }
    }
}

/// Pieces that a sold hold no longer waits for; with none left it is gone.
fn owe_less(state: &mut State, id: ReservationId, quantity: u32) {
    if let Some(hold) = state.holds.get_mut(&id).filter(|hold| hold.sold) {
        hold.waiting = hold.waiting.saturating_sub(quantity);
        if hold.waiting == 0 {
            state.holds.remove(&id);
        }
    }
}

fn shelf<'s>(state: &'s mut State, warehouse: WarehouseId, location: &str) -> &'s mut Shelf {
    let shelf = state.shelves.entry(warehouse).or_default();
    if shelf.location != location {
        location.clone_into(&mut shelf.location);
    }
    shelf
}

fn reserve(state: &mut State, picks: &[Pick]) {
    for pick in picks {
        if let Some(shelf) = state.shelves.get_mut(&pick.warehouse_id) {
            shelf.reserved += pick.quantity;
        }
    }
}

fn unreserve(state: &mut State, picks: &[Pick]) {
    for pick in picks {
        if let Some(shelf) = state.shelves.get_mut(&pick.warehouse_id) {
            shelf.reserved = shelf.reserved.saturating_sub(pick.quantity);
        }
    }
}

fn take(state: &mut State, picks: &[Pick]) {
    for pick in picks {
        if let Some(shelf) = state.shelves.get_mut(&pick.warehouse_id) {
            shelf.quantity = shelf.quantity.saturating_sub(pick.quantity);
        }
    }
    if !picks.is_empty() {
        state.stock_revision += 1;
    }
}
