//! An order's life, for its customer and its artisans.

use std::sync::Arc;

use backbone::reaction::{Reaction, Received};
use backbone::{Refusal, Workspace};
use contracts::order::{
    Cancelled, Confirmed, Created, Delivered, ItemsModified, Returned, Shipped, StateChanged,
};
use contracts::shared::OrderState;
use kernel::OrderId;

use super::{amount, day, says, short};
use crate::config::Config;
use crate::domain::Correspondence;
use crate::outbox::Message;

pub(super) fn reactions(config: &Arc<Config>) -> Vec<Reaction> {
    vec![
        says::<Created>(config, created),
        says::<Confirmed>(config, confirmed),
        says::<Cancelled>(config, cancelled),
        says::<Shipped>(config, |order, _| {
            let with = [("order", short(order.order_id)), ("parcels", order.shipments.len().to_string())];
            Ok(vec![Message::new(order.customer_id, "order-shipped", with)])
        }),
        says::<Delivered>(config, |order, _| {
            Ok(vec![Message::new(order.customer_id, "order-delivered", [("order", short(order.order_id))])])
        }),
        says::<StateChanged>(config, state_changed),
        says::<ItemsModified>(config, |order, ws| {
            let with = || [("order", short(order.order_id)), ("amount", amount(order.new_total_amount))];
            let parties = parties(ws, order.order_id)?;
            Ok(parties.iter().map(|p| Message::new(p.customer_id, "order-changed", with())).collect())
        }),
        says::<Returned>(config, |order, _| {
            let with = [("order", short(order.order_id)), ("amount", amount(order.refund_amount))];
            Ok(vec![Message::new(order.customer_id, "order-returned", with)])
        }),
    ]
}

/// The parties of an order; none where it was made before this service began to listen.
pub(super) fn parties(
    ws: &mut Workspace<'_>,
    order: OrderId,
) -> Result<Option<Arc<Correspondence>>, Refusal> {
    ws.get::<Correspondence>(order)
}

fn created(order: &Received<'_, Created>, ws: &mut Workspace<'_>) -> Result<Vec<Message>, Refusal> {
    // The order's id names the key, and nobody else writes it.
    ws.overwrite(Correspondence::of(order));
    let with = [("order", short(order.order_id)), ("amount", amount(order.total_amount))];
    Ok(vec![Message::new(order.customer_id, "order-received", with)])
}

fn confirmed(order: &Received<'_, Confirmed>, ws: &mut Workspace<'_>) -> Result<Vec<Message>, Refusal> {
    let arrival = day(order.estimated_delivery.to);
    let with = [("order", short(order.order_id)), ("arrival", arrival)];
    let mut messages = vec![Message::new(order.customer_id, "order-confirmed", with)];
    messages.extend(to_artisans(ws, order.order_id, "order-to-prepare")?);
    Ok(messages)
}

fn cancelled(order: &Received<'_, Cancelled>, ws: &mut Workspace<'_>) -> Result<Vec<Message>, Refusal> {
    let with = [("order", short(order.order_id)), ("reason", order.reason.clone())];
    let mut messages = vec![Message::new(order.customer_id, "order-cancelled", with)];
    messages.extend(to_artisans(ws, order.order_id, "order-called-off")?);
    Ok(messages)
}

fn to_artisans(
    ws: &mut Workspace<'_>,
    order: OrderId,
    template: &'static str,
) -> Result<Vec<Message>, Refusal> {
    let parties = parties(ws, order)?;
    let artisans = parties.iter().flat_map(|parties| parties.artisans.iter());
    Ok(artisans.map(|artisan| Message::new(*artisan, template, [("order", short(order))])).collect())
}

/// Most changes of state have an event of their own that says more; these have none.
fn state_changed(
    order: &Received<'_, StateChanged>,
    ws: &mut Workspace<'_>,
) -> Result<Vec<Message>, Refusal> {
    let template = match order.current_state {
        OrderState::AwaitingCustomer => "order-needs-you",
        OrderState::Failed => "order-failed",
        _ => return Ok(Vec::new()),
    };
    let parties = parties(ws, order.order_id)?;
    let with = || [("order", short(order.order_id))];
    Ok(parties.iter().map(|parties| Message::new(parties.customer_id, template, with())).collect())
}
