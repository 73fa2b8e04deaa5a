//! What payment does on others' events.

use std::sync::Arc;

use backbone::reaction::{Reaction, on};
use contracts::order::{Cancelled, Created, Delivered, ItemsModified};
use contracts::payment::{RefundRequested, Requested};
use contracts::user::Erased;

use crate::commands::charging::{self, Counter};
use crate::commands::{account, methods, refunding, waiting};

/// The list.
pub fn reactions(counter: &Arc<Counter>) -> Vec<Reaction> {
    let (at_order, at_request) = (counter.clone(), counter.clone());
    let withdrawal_period = counter.config.withdrawal_period;
    vec![
        on::<Created>(move |created, ws| {
            let mut account = account(ws, created.order_id)?;
            account.expect(created.customer_id, created.total_amount, &created.items);
            ws.put(account)?;
            at_order.release_held(ws, created.order_id)
        }),
        on::<Requested>(move |requested, ws| at_request.request(ws, requested)),
        on::<RefundRequested>(|requested, ws| refunding::request(ws, requested)),
        on::<Cancelled>(|cancelled, ws| {
            charging::close(ws, cancelled.order_id)?;
            methods::forget(ws, cancelled.order_id)
        }),
        on::<Delivered>(move |delivered, ws| {
            let due = delivered.delivered_at.plus(withdrawal_period);
            waiting::delivered(ws, delivered.order_id, due)?;
            methods::forget(ws, delivered.order_id)
        }),
        on::<ItemsModified>(|modified, ws| {
            let mut account = account(ws, modified.order_id)?;
            account.modify(modified);
            ws.put(account)
        }),
        // The ledger names no person but by id, and stays.
        on::<Erased>(|erased, ws| methods::forget_person(ws, erased.user_id.into())),
    ]
}
