//! What others say of prices, stock, carts and people: it changes no order, but what quotes say
//! and what a new order is told.

use backbone::reaction::Received;
use backbone::timer::{Timer, TimerHandler};
use backbone::{Refusal, Workspace};
use contracts::cart::CheckoutInitiated;
use contracts::inventory::{StockDepleted, StockUpdated};
use contracts::product::PriceChanged;
use contracts::user::Erased;
use kernel::{CustomerId, Duration, ProductId, QuoteId, Timestamp, VariantId};
use uuid::Uuid;

use crate::config::{Config, minutes};
use crate::views::{Offer, Quote, Shopper, offer_id};

/// The timer that drops quotes.
const QUOTE_TIMER: &str = "quote-expiry";

/// How much longer than it binds a quote can still be looked at.
const QUOTE_KEPT: Duration = Duration::from_secs(86_400);

fn offer(
    ws: &mut Workspace<'_>,
    product: ProductId,
    variant: Option<VariantId>,
    change: impl FnOnce(&mut Offer),
) -> Result<(), Refusal> {
    let known = ws.get::<Offer>(offer_id(product, variant))?;
    let mut offer = known.map_or_else(|| Offer::unknown(product, variant), |known| known.as_ref().clone());
    change(&mut offer);
    ws.put(offer)
}

fn stock_is(offer: &mut Offer, available: u32, at: Timestamp) {
    if offer.stock_at.is_none_or(|known| known <= at) {
        offer.available = Some(available);
        offer.stock_at = Some(at);
    }
}

pub(super) fn stock_depleted(
    event: &Received<'_, StockDepleted>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    offer(ws, event.product_id, event.variant_id, |offer| stock_is(offer, 0, event.depleted_at))
}

pub(super) fn stock_updated(
    event: &Received<'_, StockUpdated>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    offer(ws, event.product_id, event.variant_id, |offer| stock_is(offer, event.available, event.updated_at))
}

/// Open quotes with the old price are stale from now on; placed orders keep their price.
pub(super) fn price_changed(
    event: &Received<'_, PriceChanged>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    offer(ws, event.product_id, event.variant_id, |offer| {
        if offer.price_at.is_none_or(|known| known <= event.changed_at) {
            offer.price = Some(event.price);
            offer.price_at = Some(event.changed_at);
        }
    })
}

/// Prices are kept ready, so that the order can answer at once. No order is made.
pub(super) fn checkout_initiated(
    event: &Received<'_, CheckoutInitiated>,
    config: &Config,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let quote = Quote {
        key: event.cart_id.0,
        quote_id: QuoteId(ws.uuid()),
        cart_id: Some(event.cart_id),
        customer_id: Some(event.customer_id),
        items: event.items.clone(),
        deliveries: Vec::new(),
        total: event.total,
        created_at: ws.now(),
        expires_at: ws.now().plus(minutes(config.quote_minutes)),
    };
    keep_quote(ws, quote)
}

/// Keeps a quote until a day after it ends, and with its person.
pub(crate) fn keep_quote(ws: &mut Workspace<'_>, quote: Quote) -> Result<(), Refusal> {
    if let Some(customer_id) = quote.customer_id {
        let known = ws.get::<Shopper>(customer_id)?;
        let mut shopper =
            known.map_or(Shopper { customer_id, quotes: Vec::new() }, |known| known.as_ref().clone());
        shopper.remember(quote.key);
        ws.put(shopper)?;
    }
    ws.set_timer(QUOTE_TIMER, quote.key, quote.expires_at.plus(QUOTE_KEPT), 0);
    ws.overwrite(quote);
    Ok(())
}

/// The key is destroyed, so the person's orders read *redacted* by themselves and their
/// accounting fields stay; what is not accounting goes.
pub(super) fn user_erased(event: &Received<'_, Erased>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let customer = CustomerId::from(event.user_id);
    let Some(shopper) = ws.get::<Shopper>(customer)? else { return Ok(()) };
    for key in &shopper.quotes {
        ws.delete::<Quote>(key);
        ws.clear_timer(QUOTE_TIMER, key);
    }
    ws.delete::<Shopper>(customer);
    Ok(())
}

/// Drops quotes that ended long ago.
pub fn quote_timer() -> TimerHandler {
    TimerHandler::new(QUOTE_TIMER, |timer: &Timer, ws: &mut Workspace<'_>| {
        let Ok(key) = Uuid::parse_str(&timer.key) else { return Ok(()) };
        let Some(quote) = ws.get::<Quote>(key)? else { return Ok(()) };
        let end = quote.expires_at.plus(QUOTE_KEPT);
        if end <= ws.now() {
            ws.delete::<Quote>(key);
        } else {
            ws.set_timer(QUOTE_TIMER, key, end, 0);
        }
        Ok(())
    })
}
