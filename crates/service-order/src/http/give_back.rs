//! Returns: announced by the customer, taken in and inspected by the artisan or an operator.

use axum::extract::State;
use backbone::Work;
use backbone::route::Caller;
use http::HeaderMap;
use http_kit::{Answer, Body, CallerIs, Execute, Idempotency, Origin, Problem, UrlPath};
use kernel::{OrderId, ReturnId};
use serde_json::Value;

use super::Desk;
use super::body::{Inspection, ReturnRequest};
use crate::commands::{self, act};
use crate::domain::{Act, Details, Inspected, ReturnItem, SendBack};
use crate::error;
use crate::returns::{OrderReturn, Reply};

pub(super) async fn ask(
    State(desk): State<Desk>,
    (CallerIs(caller), Origin(origin)): (CallerIs, Origin),
    (headers, key): (HeaderMap, Idempotency),
    UrlPath(id): UrlPath<OrderId>,
    body: Body<ReturnRequest>,
) -> Result<Answer, Problem> {
    key.required()?;
    desk.order(id, &caller, &headers).await?;
    let idempotency = key.scoped(&format!("POST /api/orders/{id}/returns"), &caller, body.fingerprint);
    let wish = body.value;
    let items: Vec<ReturnItem> = wish
        .items
        .iter()
        .map(|line| ReturnItem {
            product_id: line.product_id,
            variant_id: line.variant_id,
            quantity: line.quantity,
            accepted: 0,
        })
        .collect();
    let config = desk.config.clone();
    let work = Work::new("announce-return", origin, move |ws| {
        let asked = commands::send_back(ws, id, (&items, &wish.reason), &config)?;
        Ok(Value::from(asked.to_string()))
    });
    desk.context.run(work.idempotent(idempotency)).await?;
    desk.changed(id).await
}

pub(super) async fn receive(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    UrlPath((id, return_id)): UrlPath<(OrderId, ReturnId)>,
) -> Result<Answer, Problem> {
    desk.may_handle(id, return_id, &caller).await?;
    let by = caller.label();
    let work = Work::new("receive-return", origin, move |ws| {
        act(ws, id, Act::Return(SendBack::Receive { return_id, by: by.clone() }))?;
        ws.reply_to_saga::<OrderReturn>(return_id.0, &Reply::Received)?;
        Ok(Value::Null)
    });
    desk.context.run(work).await?;
    desk.changed(id).await
}

pub(super) async fn inspect(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    UrlPath((id, return_id)): UrlPath<(OrderId, ReturnId)>,
    body: Body<Inspection>,
) -> Result<Answer, Problem> {
    desk.may_handle(id, return_id, &caller).await?;
    let Inspection { items, note } = body.value;
    let accepted: Vec<Inspected> = items
        .iter()
        .map(|line| Inspected {
            product_id: line.product_id,
            variant_id: line.variant_id,
            quantity: line.quantity,
        })
        .collect();
    let by = caller.label();
    let work = Work::new("inspect-return", origin, move |ws| {
        let inspection =
            SendBack::Inspect { return_id, accepted: accepted.clone(), note: note.clone(), by: by.clone() };
        act(ws, id, Act::Return(inspection))?;
        let order = commands::order(ws, id)?;
        let refund = order.sent_back(return_id).ok_or_else(error::no_such_return)?.refund;
        ws.reply_to_saga::<OrderReturn>(return_id.0, &Reply::Inspected { refund })?;
        Ok(Value::Null)
    });
    desk.context.run(work).await?;
    desk.changed(id).await
}

impl Desk {
    /// Operators handle every return, artisans those of their own goods alone.
    async fn may_handle(&self, id: OrderId, return_id: ReturnId, caller: &Caller) -> Result<(), Problem> {
        let found = self.context.get::<Details>(id).await?;
        let order = found.ok_or_else(|| Problem::not_found(format!("order {id}")))?.document;
        let back = order.sent_back(return_id).ok_or_else(error::no_such_return)?;
        let artisans = order.artisans_of(&back.items);
        let own = artisans.iter().all(|artisan| caller.person() == Some(artisan.0));
        if caller.is_admin() || own {
            return Ok(());
        }
        Err(Problem::forbidden("artisans handle returns of their own goods; operators handle all"))
    }
}
