//! `GET /api/orders` and `GET /api/orders/{id}`.

use axum::extract::State;
use backbone::collection::{Compare, Direction, Query};
use contracts::shared::OrderState;
use http::HeaderMap;
use http_kit::page::Page;
use http_kit::{Answer, CallerIs, PageQuery, Problem, UrlPath, UrlQuery};
use kernel::{CustomerId, Money, OrderId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Desk;
use super::history::{HistoryEntry, read_all};
use crate::domain::{Details, ORDERS};
use crate::views::{mark, offer_ids};

/// What of an order is wanted.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OneQuery {
    /// With its lines; so where nothing is said.
    pub include_items: Option<Flag>,
    /// With its history.
    pub include_history: Option<Flag>,
}

/// A yes or no in a query; the bare name means yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Flag {
    /// Yes.
    #[serde(alias = "", alias = "1")]
    True,
    /// No.
    #[serde(alias = "0")]
    False,
}

/// Which orders are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Of whom; one's own, where nothing is said (operators: everybody's).
    pub customer_id: Option<CustomerId>,
    /// In this state.
    pub state: Option<OrderState>,
    /// Placed at or after.
    pub from: Option<Timestamp>,
    /// Placed before.
    pub to: Option<Timestamp>,
    /// How many at most: 1 to 100, 20 where nothing is said.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// An order as its owner sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderAnswer {
    /// The order.
    #[serde(flatten)]
    pub order: Details,
    /// What happened to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub history: Option<Vec<HistoryEntry>>,
}

/// An order in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderSummary {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub customer_id: CustomerId,
    /// Where it stands.
    pub state: OrderState,
    /// What the customer pays.
    pub total: Money,
    /// Pieces in all.
    pub pieces: u32,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// An order without what is nobody's business outside: the key's hash, the gateway's token.
pub(super) fn shown(mut order: Details) -> Details {
    order.access_key_hash = None;
    order.payment_method_id = None;
    order
}

impl Desk {
    /// The answer for an order that the caller may see.
    pub(super) async fn show(&self, mut order: Details, query: OneQuery) -> Result<Answer, Problem> {
        let version = order.version;
        if order.is_pending() {
            let ids = offer_ids(order.items.iter().map(|line| (line.product_id, line.variant_id)));
            mark(&mut order, &self.offers(ids).await?);
        }
        if query.include_items == Some(Flag::False) {
            order.items.clear();
        }
        let history = match query.include_history {
            Some(Flag::True) => Some(read_all(&self.context, order.order_id).await?),
            _ => None,
        };
        Ok(Answer::ok(&OrderAnswer { order: shown(order), history }).etag(version))
    }

    /// The answer after a change: under way, and where to look.
    pub(super) async fn changed(&self, id: OrderId) -> Result<Answer, Problem> {
        let found = self.context.get::<Details>(id).await?;
        let order = found.ok_or_else(|| Problem::not_found(format!("order {id}")))?.document;
        let version = order.version;
        let answer = OrderAnswer { order: shown(order), history: None };
        Ok(Answer::accepted(format!("/api/orders/{id}"), &answer).etag(version))
    }
}

pub(super) async fn one(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    headers: HeaderMap,
    UrlPath(id): UrlPath<OrderId>,
    UrlQuery(query): UrlQuery<OneQuery>,
) -> Result<Answer, Problem> {
    let order = desk.order(id, &caller, &headers).await?;
    desk.show(order, query).await
}

pub(super) async fn list(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    UrlQuery(wish): UrlQuery<ListQuery>,
) -> Result<Answer, Problem> {
    let own = caller.person().map(CustomerId);
    let customer = if caller.is_admin() { wish.customer_id } else { wish.customer_id.or(own) };
    if let Some(customer) = customer
        && !caller.may_act_for(customer.0)
    {
        return Err(Problem::forbidden("a customer lists their own orders only"));
    }
    let page = PageQuery { limit: wish.limit, cursor: wish.cursor };
    let limit = page.limit();
    let mut query = Query::all(&ORDERS).sorted("created_at", Direction::Descending).limit(limit + 1);
    if let Some(customer) = customer {
        query = query.equal("customer_id", customer.0);
    }
    if let Some(state) = wish.state {
        query = query.equal("state", state.as_str());
    }
    if let Some(from) = wish.from {
        query = query.with("created_at", Compare::AtLeast, from);
    }
    if let Some(to) = wish.to {
        query = query.with("created_at", Compare::Below, to);
    }
    if let Some((value, id)) = page.after()? {
        query = query.after(value, id);
    }
    let found = desk.context.find::<Details>(query).await?;
    let rows: Vec<OrderSummary> = found.into_iter().map(|found| summary(&found.document)).collect();
    let page = Page::cut(rows, limit, |row| (row.created_at.into(), row.order_id.to_string()));
    Ok(Answer::ok(&page))
}

fn summary(order: &Details) -> OrderSummary {
    OrderSummary {
        order_id: order.order_id,
        customer_id: order.customer_id,
        state: order.state,
        total: order.total,
        pieces: order.items.iter().map(|line| line.quantity).sum(),
        created_at: order.created_at,
        updated_at: order.updated_at,
    }
}
