//! `POST /api/orders/quote` and the quotes that it, and checkouts, leave behind.

use axum::extract::State;
use backbone::Work;
use contracts::shared::OrderItem;
use http_kit::{Answer, Body, CallerIs, Execute, Idempotency, Origin, Problem, UrlPath};
use kernel::{CustomerId, QuoteId};
use uuid::Uuid;

use super::Desk;
use super::body::{LineWish, PlaceOrder, QuoteRequest};
use super::pricing::{Wanted, unpayable, vat};
use crate::config::minutes;
use crate::domain::cost;
use crate::handlers::keep_quote;
use crate::ports::Flow;
use crate::views::{Offer, Quote, QuoteAnswer};

const SCOPE: &str = "POST /api/orders/quote";

pub(super) async fn make(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    key: Idempotency,
    body: Body<QuoteRequest>,
) -> Result<Answer, Problem> {
    let idempotency = key.scoped(SCOPE, &caller, body.fingerprint);
    if let Some(known) = &idempotency
        && let Some(done) = desk.context.commands.answered(known).await?
    {
        return desk.created(&done.answer).await;
    }
    let wish = body.value;
    let wanted = Wanted {
        lines: &wish.items,
        country: &wish.delivery_address.country,
        postal_code: &wish.delivery_address.postal_code,
        prepared: None,
        flow: Flow { correlation_id: origin.correlation_id.clone(), key: None },
    };
    let priced = desk.price(wanted).await?;
    let (customer_id, limit) = (caller.person().map(CustomerId), minutes(desk.config.quote_minutes));
    let work = Work::new("make-quote", origin, move |ws| {
        let quote = Quote {
            key: priced.quote_id.0,
            quote_id: priced.quote_id,
            cart_id: None,
            customer_id,
            items: priced.items.clone(),
            deliveries: priced.deliveries.clone(),
            total: priced.total,
            created_at: ws.now(),
            expires_at: ws.now().plus(limit),
        };
        keep_quote(ws, quote)?;
        Ok(serde_json::Value::from(priced.quote_id.to_string()))
    });
    let done = desk.context.run(work.idempotent(idempotency)).await?;
    desk.created(&done.answer).await
}

pub(super) async fn show(State(desk): State<Desk>, UrlPath(id): UrlPath<QuoteId>) -> Result<Answer, Problem> {
    Ok(Answer::ok(&desk.quote(id.0).await?))
}

impl Desk {
    async fn created(&self, answer: &[u8]) -> Result<Answer, Problem> {
        let id: QuoteId = serde_json::from_slice(answer).map_err(Problem::defect)?;
        Ok(Answer::created(format!("/api/orders/quotes/{id}"), &self.quote(id.0).await?))
    }

    async fn quote(&self, key: Uuid) -> Result<QuoteAnswer, Problem> {
        let found = self.context.get::<Quote>(key).await?;
        let quote = found.ok_or_else(|| Problem::not_found(format!("quote {key}")))?.document;
        let offers = self.offers(quote.offer_ids()).await?;
        let delivery = kernel::Money::sum(quote.total.currency, quote.deliveries.iter().map(|d| d.price));
        Ok(QuoteAnswer {
            quote_id: quote.quote_id,
            goods: cost(&quote.items).map_err(unpayable)?,
            delivery: delivery.map_err(unpayable)?,
            vat: vat(&quote.items, &quote.deliveries).map_err(unpayable)?,
            total: quote.total,
            expires_at: quote.expires_at,
            stale: quote.is_stale(&offers),
            unavailable: quote.unavailable(&offers),
            items: quote.items,
            deliveries: quote.deliveries,
        })
    }

    /// What others told of these variants.
    pub(super) async fn offers(&self, ids: Vec<String>) -> Result<Vec<Offer>, Problem> {
        let found = self.context.get_all::<Offer>(ids).await?;
        Ok(found.into_iter().flatten().map(|found| found.document).collect())
    }

    /// Prices that bind already: those of the quote that the request names, or those prepared at
    /// the cart's checkout while nothing has changed.
    pub(super) async fn prepared(
        &self,
        wish: &PlaceOrder,
    ) -> Result<Option<(QuoteId, Vec<OrderItem>)>, Problem> {
        let (key, named) = match (wish.quote_id, wish.cart_id) {
            (Some(quote), _) => (quote.0, true),
            (None, Some(cart)) => (cart.0, false),
            (None, None) => return Ok(None),
        };
        let quote = self.context.get::<Quote>(key).await?.map(|found| found.document);
        let Some(quote) = quote else {
            return if named { Err(Problem::invalid("quoteId", "there is no such quote")) } else { Ok(None) };
        };
        let over = quote.expires_at < self.context.now();
        let over = over || quote.is_stale(&self.offers(quote.offer_ids()).await?);
        let fits = same_basket(&wish.items, &quote.items);
        match (over || !fits, named) {
            (false, _) => Ok(Some((quote.quote_id, quote.items))),
            (true, false) => Ok(None),
            (true, true) if !fits => Err(Problem::invalid("quoteId", "the quote is for another basket")),
            (true, true) => {
                let message = "the quote no longer binds, because its time is over or a price changed: \
                               ask for a new one";
                Err(backbone::Rejection::conflict("quote-stale", message).at("quoteId").into())
            }
        }
    }
}

fn same_basket(lines: &[LineWish], items: &[OrderItem]) -> bool {
    let same = |(line, item): (&LineWish, &OrderItem)| {
        line.product_id == item.product_id
            && (line.variant_id.is_none() || line.variant_id == item.variant_id)
            && line.quantity == item.quantity
    };
    lines.len() == items.len() && lines.iter().zip(items).all(same)
}
