//! Calling an order off, and changing its items.

use axum::extract::State;
use backbone::Work;
use contracts::shared::OrderItem;
use http::HeaderMap;
use http_kit::{Answer, Body, CallerIs, Execute, Idempotency, IfMatch, Origin, Problem, UrlPath};
use kernel::OrderId;
use serde_json::Value;

use super::Desk;
use super::access::{name_of, on_behalf};
use super::body::{CancelOrder, ChangeOrderItems, LineChange, LineWish};
use super::pricing::{check_stock, products};
use crate::commands::{self, ChangeWish, Wish};
use crate::domain::{Details, Reshaped, reshape};
use crate::error;
use crate::ports::Flow;

pub(super) async fn cancel(
    State(desk): State<Desk>,
    (CallerIs(caller), Origin(origin)): (CallerIs, Origin),
    (headers, key): (HeaderMap, Idempotency),
    UrlPath(id): UrlPath<OrderId>,
    body: Body<CancelOrder>,
) -> Result<Answer, Problem> {
    let order = desk.order(id, &caller, &headers).await?;
    let wish = Wish {
        reason: body.value.reason.unwrap_or_else(|| "the customer changed their mind".to_owned()),
        by: on_behalf(&order, &caller),
        asked_by: name_of(&order, &caller),
    };
    let idempotency = key.scoped(&format!("POST /api/orders/{id}/cancel"), &caller, body.fingerprint);
    let work = Work::new("cancel-order", origin, move |ws| {
        commands::cancel(ws, id, &wish)?;
        Ok(Value::Null)
    });
    desk.context.run(work.idempotent(idempotency)).await?;
    desk.changed(id).await
}

pub(super) async fn items(
    State(desk): State<Desk>,
    (CallerIs(caller), Origin(origin)): (CallerIs, Origin),
    (headers, version): (HeaderMap, IfMatch),
    UrlPath(id): UrlPath<OrderId>,
    body: Body<ChangeOrderItems>,
) -> Result<Answer, Problem> {
    let seen = version.required()?;
    let order = desk.order(id, &caller, &headers).await?;
    if order.version != seen {
        return Err(error::stale(order.version).into());
    }
    let flow = Flow { correlation_id: origin.correlation_id.clone(), key: None };
    let mut wishes: Vec<Reshaped> = body.value.items.iter().map(|line| named(&order, line)).collect();
    let quoted = desk.quote_new(&order, &mut wishes, &flow).await?;
    let items = reshape(&order, &wishes, &quoted)?;
    desk.check_more(&order, (&items, &wishes), &flow).await?;
    let (config, asked_by) = (desk.config.clone(), name_of(&order, &caller));
    let wish = ChangeWish { seen, items, asked_by };
    let work = Work::new("change-items", origin, move |ws| {
        commands::change_items(ws, id, &wish, &config).map(|change| Value::from(change.to_string()))
    });
    desk.context.run(work).await?;
    desk.changed(id).await
}

/// A wish with the variant of its line, where the order has the product once.
fn named(order: &Details, line: &LineChange) -> Reshaped {
    let mut same = order.items.iter().filter(|known| known.product_id == line.product_id);
    let only = same.next().filter(|_| same.next().is_none());
    let variant_id = line.variant_id.or(only.and_then(|known| known.variant_id));
    Reshaped { product_id: line.product_id, variant_id, quantity: line.quantity }
}

impl Desk {
    /// Prices of the lines that the order does not have.
    async fn quote_new(
        &self,
        order: &Details,
        wishes: &mut [Reshaped],
        flow: &Flow,
    ) -> Result<Vec<OrderItem>, Problem> {
        let has = |wish: &Reshaped| order.items.iter().any(|line| line.is(wish.product_id, wish.variant_id));
        let new: Vec<(usize, LineWish)> = wishes
            .iter()
            .enumerate()
            .filter(|(_, wish)| wish.quantity > 0 && !has(wish))
            .map(|(index, wish)| {
                let (product_id, variant_id) = (wish.product_id, wish.variant_id);
                (index, LineWish { product_id, variant_id, quantity: wish.quantity })
            })
            .collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let lines: Vec<LineWish> = new.iter().map(|(_, line)| *line).collect();
        let (_, items) = self.prices(&lines, flow).await.map_err(|problem| renumbered(problem, &new))?;
        // A product with one variant may be wished for without it.
        for (item, (index, _)) in items.iter().zip(&new) {
            wishes[*index].variant_id = item.variant_id;
        }
        Ok(items)
    }

    /// What comes on top can be had now.
    async fn check_more(
        &self,
        order: &Details,
        (items, wishes): (&[OrderItem], &[Reshaped]),
        flow: &Flow,
    ) -> Result<(), Problem> {
        let (mut more, mut pieces) = (Vec::new(), Vec::new());
        for item in items {
            let line = order.items.iter().find(|line| line.is(item.product_id, item.variant_id));
            let quantity = item.quantity.saturating_sub(line.map_or(0, |line| line.quantity));
            let (product_id, variant_id) = (item.product_id, item.variant_id);
            let index = wishes.iter().position(|w| w.product_id == product_id && w.variant_id == variant_id);
            if quantity > 0 {
                more.push((index.unwrap_or(0), LineWish { product_id, variant_id, quantity }));
                pieces.push(item.clone());
            }
        }
        if more.is_empty() {
            return Ok(());
        }
        let lines: Vec<LineWish> = more.iter().map(|(_, line)| *line).collect();
        let stock = self.ports.stock.availability(&products(&lines), flow).await?;
        check_stock(&lines, &pieces, &stock).map_err(|problem| renumbered(problem, &more))
    }
}

/// A problem with the n-th new line is one with the line of the request that it stands for.
fn renumbered(mut problem: Problem, new: &[(usize, LineWish)]) -> Problem {
    for field in &mut problem.errors {
        for (position, (index, _)) in new.iter().enumerate() {
            if let Some(rest) = field.field.strip_prefix(&format!("items[{position}].")) {
                field.field = format!("items[{index}].{rest}");
                break;
            }
        }
    }
    problem
}
