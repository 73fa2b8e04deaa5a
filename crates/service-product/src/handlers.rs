//! What the catalogue does on public events: a line for each.

use std::sync::Arc;

use backbone::reaction::{Reaction, on};
use backbone::timer::TimerHandler;
use backbone::workspace::Key;
use backbone::{Refusal, Workspace};
use contracts::artisan::{PerformanceEvaluated, ProductListed, StatusChanged, Verified};
use contracts::inventory::{RestockScheduled, StockDepleted, StockReleased, StockUpdated};
use contracts::product::Status;
use contracts::user::{PreferencesChanged, SegmentChanged};
use kernel::{ErrorKind, ProductId, UserId};

use crate::commands::{self, SPREAD_TIMER, change_seller};
use crate::domain::{Availability, Product, Ranking, Seller, may_sell};

/// The list.
pub fn reactions() -> Vec<Reaction> {
    vec![
        on::<ProductListed>(|listed, ws| open_product(listed, ws)),
        on::<Verified>(|verified, ws| change_seller(ws, verified.artisan_id, |seller| seller.hidden = false)),
        on::<StatusChanged>(|changed, ws| {
            change_seller(ws, changed.artisan_id, |seller| seller.hidden = !may_sell(&changed.new_status))
        }),
        on::<PerformanceEvaluated>(|evaluated, ws| {
            change_seller(ws, evaluated.artisan_id, |seller| seller.tier = Some(evaluated.tier))
        }),
        on::<StockUpdated>(|stock, ws| {
            let as_of = stock.envelope.time;
            change_stock(ws, stock.product_id, |known| known.tell(stock.variant_id, stock.available, as_of))
        }),
        on::<StockDepleted>(|stock, ws| {
            let as_of = stock.envelope.time;
            change_stock(ws, stock.product_id, |known| known.tell(stock.variant_id, 0, as_of))
        }),
        on::<StockReleased>(|stock, ws| {
            let as_of = stock.envelope.time;
            change_stock(ws, stock.product_id, |known| known.tell(stock.variant_id, stock.new_stock, as_of))
        }),
        on::<RestockScheduled>(|stock, ws| {
            change_stock(ws, stock.product_id, |known| {
                known.expect(stock.variant_id, stock.scheduled_for);
                true
            })
        }),
        on::<PreferencesChanged>(|changed, ws| {
            let categories = changed.preferences.product_categories.clone();
            change_ranking(ws, changed.user_id, |ranking| ranking.categories = categories.into())
        }),
        on::<SegmentChanged>(|changed, ws| {
            let segments = changed.current_segments.clone();
            change_ranking(ws, changed.user_id, |ranking| ranking.segments = segments.into())
        }),
    ]
}

/// The timers.
pub fn timers() -> Vec<TimerHandler> {
    vec![TimerHandler::new(SPREAD_TIMER, |timer, ws| {
        let Some(seller) = ws.get::<Seller>(&timer.key)? else { return Ok(()) };
        let from = usize::try_from(timer.generation)
            .map_err(|_| Refusal::failed(ErrorKind::Permanent, "the timer names no product"))?;
        commands::spread(ws, &seller, from)
    })]
}

/// A listing opens a product, or the draft that an import made for it; what is open stays.
fn open_product(listed: &ProductListed, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    ws.need([Key::document::<Product>(listed.product_id), Key::document::<Seller>(listed.artisan_id)])?;
    let known = ws.get::<Product>(listed.product_id)?;
    if known.as_ref().is_some_and(|known| known.status != Status::Draft) {
        return Ok(());
    }
    let seller = commands::enrol(ws, listed.artisan_id, listed.product_id)?;
    ws.put(Product::listed(listed, known.as_deref(), &seller))
}

fn change_stock(
    ws: &mut Workspace<'_>,
    id: ProductId,
    change: impl FnOnce(&mut Availability) -> bool,
) -> Result<(), Refusal> {
    let before = ws.get::<Availability>(id)?;
    let mut after = before.as_deref().cloned().unwrap_or_else(|| Availability::unknown(id));
    if change(&mut after) && before.as_deref() != Some(&after) {
        ws.put(after)?;
    }
    Ok(())
}

fn change_ranking(
    ws: &mut Workspace<'_>,
    user: UserId,
    change: impl FnOnce(&mut Ranking),
) -> Result<(), Refusal> {
    let mut ranking = ws.get::<Ranking>(user)?.map_or_else(|| Ranking::neutral(user), Arc::unwrap_or_clone);
    change(&mut ranking);
    ws.put(ranking)
}
