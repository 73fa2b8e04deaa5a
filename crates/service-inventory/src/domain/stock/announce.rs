//! Which public events tell others of an item: the one place where private becomes public.

use backbone::Announcements;
use contracts::inventory::{
    ReleaseReason, StockConfirmed, StockDepleted, StockReleaseReason, StockReleased, StockReserved,
    StockUpdated, ThresholdReached,
};
use kernel::{Duration, Timestamp};

use super::state::pieces;
use super::{Description, Event, State, TakenBack, movement};

const DAY_MICROS: u128 = 24 * 60 * 60 * 1_000_000;

pub(super) fn announce(state: &State, event: &Event, out: &mut Announcements) {
    let Some(item) = &state.description else { return };
    match event {
        Event::Held { .. } => reserved(state, item, event, out),
        Event::Released { .. } => released(state, item, event, out),
        Event::Sold { .. } => sold(state, item, event, out),
        Event::TakenBack { .. } => taken_back(state, item, event, out),
        Event::ThresholdReached { .. } => threshold_reached(state, item, event, out),
        Event::Depleted { order_id, user_id, quantity, at } => out.publish(StockDepleted {
            product_id: item.product_id,
            variant_id: item.variant_id,
            artisan_id: item.artisan_id,
            last_order_id: *order_id,
            user_id: *user_id,
            last_quantity: *quantity,
            depleted_at: *at,
        }),
        _ => {}
    }
    updated(state, item, event, out);
}

fn reserved(state: &State, item: &Description, event: &Event, out: &mut Announcements) {
    let Event::Held { reservation_id, owner, picks, waiting, expires_at, .. } = event else { return };
    if let Some(order_id) = owner.order_id() {
        out.publish(StockReserved {
            reservation_id: *reservation_id,
            product_id: item.product_id,
            variant_id: item.variant_id,
            order_id,
            quantity_reserved: pieces(picks) + waiting,
            remaining_stock: state.available(),
            reservation_expiry: *expires_at,
        });
    }
}

fn released(state: &State, item: &Description, event: &Event, out: &mut Announcements) {
    let Event::Released { reservation_id, owner, picks, waiting, reason, .. } = event else { return };
    if let Some(order_id) = owner.order_id() {
        out.publish(StockReleased {
            reservation_id: *reservation_id,
            product_id: item.product_id,
            variant_id: item.variant_id,
            order_id,
            quantity_released: pieces(picks) + waiting,
            reason: stock_reason(*reason),
            new_stock: state.available(),
        });
    }
}

fn sold(state: &State, item: &Description, event: &Event, out: &mut Announcements) {
    let Event::Sold { reservation_id, order_id, picks, waiting, at, .. } = event else { return };
    out.publish(StockConfirmed {
        reservation_id: *reservation_id,
        product_id: item.product_id,
        variant_id: item.variant_id,
        order_id: *order_id,
        quantity_confirmed: pieces(picks) + waiting,
        remaining_stock: state.available(),
        confirmed_at: *at,
    });
}

/// A reservation that was sold and is given back is told like one that was not; returns and changed
/// lines are order's to tell.
fn taken_back(state: &State, item: &Description, event: &Event, out: &mut Announcements) {
    let Event::TakenBack { why, order_id, reservation_id, quantity, waiting, .. } = event else { return };
    if let (TakenBack::Cancellation, Some(reservation_id)) = (why, reservation_id) {
        out.publish(StockReleased {
            reservation_id: *reservation_id,
            product_id: item.product_id,
            variant_id: item.variant_id,
            order_id: *order_id,
            quantity_released: quantity + waiting,
            reason: StockReleaseReason::OrderCancelled,
            new_stock: state.available(),
        });
    }
}

fn threshold_reached(state: &State, item: &Description, event: &Event, out: &mut Announcements) {
    let Event::ThresholdReached { kind, threshold, average_daily_milli, at } = event else { return };
    out.publish(ThresholdReached {
        product_id: item.product_id,
        variant_id: item.variant_id,
        current_stock: state.available(),
        threshold: *threshold,
        threshold_type: *kind,
        artisan_id: item.artisan_id,
        product_name: item.product_name.clone(),
        last_restock_date: state.last_restock,
        average_daily_sales: *average_daily_milli as f64 / 1_000.0,
        estimated_stockout_date: sold_out_at(state.available(), *average_daily_milli, *at),
    });
}

/// When `available` pieces are sold at `average_daily_milli` thousandths a day.
fn sold_out_at(available: u32, average_daily_milli: u64, now: Timestamp) -> Option<Timestamp> {
    let micros = (u128::from(available) * 1_000 * DAY_MICROS).checked_div(u128::from(average_daily_milli))?;
    Some(now.plus(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))))
}

fn updated(state: &State, item: &Description, event: &Event, out: &mut Announcements) {
    let at = match event {
        Event::Opened { at, .. }
        | Event::Counted { at, .. }
        | Event::Received { at, .. }
        | Event::Held { at, .. }
        | Event::Released { at, .. }
        | Event::Sold { at, .. }
        | Event::Served { at, .. }
        | Event::TakenBack { at, .. } => *at,
        _ => return,
    };
    // A product that is opened without pieces is told as well: it can be shown as out of stock.
    let opened = matches!(event, Event::Opened { .. });
    let (cause, change) = match movement(event) {
        Some(movement) => (movement.cause, movement.quantity),
        None if opened => (super::Cause::Opening, 0),
        None => return,
    };
    let quantity = state.quantity();
    out.publish(StockUpdated {
        product_id: item.product_id,
        variant_id: item.variant_id,
        previous_quantity: u32::try_from(i64::from(quantity) - change).unwrap_or(0),
        quantity,
        reserved: state.reserved(),
        available: state.available(),
        cause: cause.as_str().to_owned(),
        updated_at: at,
    });
}

/// An item's release knows no change of an order: that is an operator's decision to it.
fn stock_reason(reason: ReleaseReason) -> StockReleaseReason {
    match reason {
        ReleaseReason::OrderCancelled => StockReleaseReason::OrderCancelled,
        ReleaseReason::ReservationExpired => StockReleaseReason::ReservationExpired,
        ReleaseReason::OrderChanged | ReleaseReason::ManualRelease => StockReleaseReason::ManualRelease,
    }
}
