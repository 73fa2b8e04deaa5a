//! What inventory does on public events: a line for each in `reactions()`.

use std::sync::Arc;

use backbone::reaction::{Reaction, Received, on};
use backbone::timer::TimerHandler;
use backbone::work::Priority as WorkPriority;
use backbone::{Refusal, Workspace};
use contracts::inventory::{
    Priority, ReleaseRequestReason, ReleaseRequested, ReservationRequested, ThresholdReached,
};
use contracts::shared::{OrderItem, OrderState};
use contracts::{artisan, order, payment, product};
use kernel::ReservationId;

use crate::commands::{self, Asked, ItemChanges, ListedItem, Listing, RESERVATION_EXPIRY};
use crate::config::Config;
use crate::domain::{ItemKey, Owner};
use crate::replenishment;

/// The list.
pub fn reactions(config: &Config) -> Vec<Reaction> {
    let config = Arc::new(config.clone());
    let (reserving, listing, replenishing) = (config.clone(), config.clone(), config);
    vec![
        on::<order::Created>(count_demand),
        on::<ReservationRequested>(move |event, ws| reserve(&reserving, event, ws))
            .ranked::<ReservationRequested>(|event| rank(event.priority)),
        on::<ReleaseRequested>(release),
        on::<order::Confirmed>(|event, ws| commands::confirm_order(ws, event.order_id)),
        on::<order::Cancelled>(|event, ws| commands::close_order(ws, event.order_id)),
        on::<order::StateChanged>(close_order_that_ended),
        on::<order::ItemsModified>(change_items),
        on::<order::Returned>(return_items),
        on::<payment::Failed>(release_unpaid),
        on::<ThresholdReached>(move |event, ws| replenishment::begin(ws, &replenishing, event)),
        on::<artisan::ProductListed>(move |event, ws| list_product(&listing, event, ws)),
        on::<product::Updated>(update_product),
    ]
}

/// The timers.
pub fn timers() -> Vec<TimerHandler> {
    vec![TimerHandler::new(RESERVATION_EXPIRY, |timer, ws| {
        let id: ReservationId = timer.key.parse().map_err(|e| {
            Refusal::failed(kernel::ErrorKind::Permanent, format!("timer key {}: {e}", timer.key))
        })?;
        commands::expire(ws, id)
    })]
}

/// Who is served first where several wait for the same pieces.
pub fn rank(priority: Priority) -> WorkPriority {
    match priority {
        Priority::Vip => WorkPriority::Vip,
        Priority::High => WorkPriority::High,
        Priority::Normal => WorkPriority::Normal,
    }
}

/// The items of an order's lines with their pieces; the same item twice is added up.
fn pieces(items: &[OrderItem]) -> Vec<(ItemKey, u32)> {
    let mut pieces: Vec<(ItemKey, u32)> = Vec::with_capacity(items.len());
    for item in items {
        let key = ItemKey::new(item.product_id, item.variant_id);
        match pieces.iter_mut().find(|(known, _)| *known == key) {
            Some((_, quantity)) => *quantity = quantity.saturating_add(item.quantity),
            None => pieces.push((key, item.quantity)),
        }
    }
    pieces
}

fn count_demand(event: &Received<'_, order::Created>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    commands::count_demand(ws, &pieces(&event.items), event.created_at)
}

fn reserve(
    config: &Config,
    event: &Received<'_, ReservationRequested>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let asked = Asked {
        reservation_id: event.reservation_id,
        owner: Owner::Order { order_id: event.order_id, customer_id: Some(event.customer_id) },
        items: event
            .items
            .iter()
            .map(|item| (ItemKey::new(item.product_id, item.variant_id), item.quantity))
            .collect(),
        expires_at: Some(event.expiration_time),
        priority: event.priority,
    };
    commands::reserve(ws, config, &asked).map(drop)
}

fn release(event: &Received<'_, ReleaseRequested>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let owner = Owner::Order { order_id: event.order_id, customer_id: None };
    commands::release(ws, event.reservation_id, owner, event.reason.into())?;
    match event.reason {
        // It may have overtaken order.cancelled: what comes late of that order must find it closed.
        ReleaseRequestReason::OrderCancelled => commands::close_order(ws, event.order_id),
        ReleaseRequestReason::OrderChanged | ReleaseRequestReason::ManualRelease => Ok(()),
    }
}

fn close_order_that_ended(
    event: &Received<'_, order::StateChanged>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    match event.current_state {
        OrderState::Cancelled | OrderState::Failed => commands::close_order(ws, event.order_id),
        _ => Ok(()),
    }
}

fn change_items(event: &Received<'_, order::ItemsModified>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let wanted = pieces(&event.modified_items).into_iter().chain(pieces(&event.added_items));
    let gone = pieces(&event.removed_items).into_iter().map(|(item, _)| item);
    commands::change_items(ws, event.order_id, &ItemChanges::new(gone, wanted))
}

fn return_items(event: &Received<'_, order::Returned>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    commands::return_items(ws, event.order_id, event.return_id, &pieces(&event.items))
}

/// A payment that may still succeed keeps its hold.
fn release_unpaid(event: &Received<'_, payment::Failed>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    if event.retryable {
        return Ok(());
    }
    commands::release_unpaid(ws, event.order_id)
}

fn list_product(
    config: &Config,
    event: &Received<'_, artisan::ProductListed>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let mut items: Vec<ListedItem> = event
        .variants
        .iter()
        .map(|variant| ListedItem {
            key: ItemKey::new(event.product_id, Some(variant.variant_id)),
            quantity: variant.initial_stock,
        })
        .collect();
    if items.is_empty() {
        items.push(ListedItem { key: ItemKey::new(event.product_id, None), quantity: event.initial_stock });
    }
    let listing = Listing {
        product_id: event.product_id,
        artisan_id: event.artisan_id,
        name: event.product_name.clone(),
        items,
    };
    commands::list_product(ws, config, &listing)
}

fn update_product(event: &Received<'_, product::Updated>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let discontinued = event.status == product::Status::Discontinued;
    commands::update_product(ws, event.product_id, event.artisan_id, discontinued)
}
