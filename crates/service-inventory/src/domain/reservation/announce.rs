//! Which public events tell others of a reservation: the one place where private becomes public.
//! A cart's is nobody else's business.

use backbone::Announcements;
use contracts::inventory::{ReleaseReason, ReservationConfirmed, ReservationReleased, StockFailed};
use contracts::shared::{ReservedItem, Shortage};
use kernel::{OrderId, Timestamp};

use super::{Event, Line, State, Status};
use crate::error;

/// The place of pieces that are still to be made.
const BACKORDER: &str = "backorder";

pub(super) fn announce(state: &State, event: &Event, out: &mut Announcements) {
    let Some(order_id) = state.owner.and_then(|owner| owner.order_id()) else { return };
    match event {
        Event::Reserved { .. } => out.publish(confirmed(state, order_id)),
        Event::Refused { shortages, reason, at, .. } => {
            out.publish(failed(state, order_id, (shortages, reason), *at));
        }
        Event::Released { at, .. } | Event::ReleaseAskedAgain { at } => {
            out.publish(released(state, order_id, *at));
        }
        Event::AskedAgain { at } => match state.status {
            Status::Reserved | Status::Confirmed => out.publish(confirmed(state, order_id)),
            Status::Refused => {
                let reason = state.refused_for.as_deref().unwrap_or(error::SHORT);
                out.publish(failed(state, order_id, (&state.shortages, reason), *at));
            }
            Status::Requested | Status::Released => {
                out.publish(failed(state, order_id, (&[], error::RELEASED_BEFORE), *at));
            }
        },
        Event::Extended { .. } | Event::Served { .. } | Event::Confirmed { .. } => {}
    }
}

fn confirmed(state: &State, order_id: OrderId) -> ReservationConfirmed {
    ReservationConfirmed {
        reservation_id: state.id,
        order_id,
        reserved_items: items(&state.lines),
        expires_at: state.expires_at,
        total_reserved: state.lines.iter().map(Line::pieces).sum(),
    }
}

fn failed(state: &State, order_id: OrderId, why: (&[Shortage], &str), at: Timestamp) -> StockFailed {
    StockFailed {
        reservation_id: state.id,
        order_id,
        shortages: why.0.to_vec(),
        reason: why.1.to_owned(),
        failed_at: at,
    }
}

fn released(state: &State, order_id: OrderId, at: Timestamp) -> ReservationReleased {
    ReservationReleased {
        reservation_id: state.id,
        order_id,
        released_items: items(&state.given_back),
        reason: state.released_for.unwrap_or(ReleaseReason::ManualRelease),
        released_at: at,
    }
}

fn items(lines: &[Line]) -> Vec<ReservedItem> {
    let mut items = Vec::new();
    for line in lines {
        let item = |quantity, warehouse_id, location: &str| ReservedItem {
            product_id: line.product_id,
            variant_id: line.variant_id,
            quantity,
            warehouse_id,
            location: location.to_owned(),
        };
        items.extend(line.picks.iter().map(|pick| item(pick.quantity, pick.warehouse_id, &pick.location)));
        if line.waiting > 0 {
            items.push(item(line.waiting, line.warehouse_id, BACKORDER));
        }
    }
    items
}
