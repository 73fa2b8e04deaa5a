//! What shipping does on public events: a line for each.

use std::sync::Arc;

use backbone::reaction::{Reaction, on};
use contracts::order::{Cancelled, Confirmed, Created};
use contracts::shipping::CancellationRequested;
use contracts::user::Erased;

use crate::commands::{self, CallOff};
use crate::config::Config;
use crate::disposal;

/// The list.
pub fn reactions(config: &Arc<Config>) -> Vec<Reaction> {
    let (tariff, law) = (config.clone(), config.clone());
    vec![
        on::<Created>(|order, ws| commands::note(ws, order)),
        on::<Confirmed>(move |order, ws| commands::schedule(ws, &tariff, order)),
        on::<Cancelled>(|order, ws| {
            commands::call_off(ws, order.order_id, &order.reason, CallOff::Cancelled)
        }),
        on::<CancellationRequested>(|asked, ws| {
            commands::call_off(ws, asked.order_id, &asked.reason, CallOff::Asked)
        }),
        on::<Erased>(move |erased, ws| {
            let due = erased.erased_at.plus(law.legal_period());
            ws.set_timer(disposal::TIMER, erased.user_id, due, 0);
            Ok(())
        }),
    ]
}
