//! Reservations as order, cart and operators make them over HTTP.

use axum::extract::State;
use backbone::route::Caller;
use backbone::{Refusal, Rejection, Work, Workspace};
use contracts::calls::{ExtendReservation, HoldStock, ReleaseHold, ReservationExtended, StockHeld};
use contracts::inventory::{Priority, ReleaseReason};
use garde::Validate;
use http::StatusCode;
use http_kit::{
    Answer, Body, CallerIs, Execute, Idempotency as IdempotencyHeader, Origin as RequestOrigin, Problem,
    UrlPath,
};
use kernel::{CartId, CustomerId, OrderId, ReservationId};
use serde::Deserialize;

use super::Counter;
use crate::commands::{self, Asked, Verdict};
use crate::domain::reservation::{Reservation, Status};
use crate::domain::{ItemKey, Owner};
use crate::error;
use crate::handlers::rank;
use crate::views::ReservationView;

const LINES_MAX: usize = 100;

/// A shape shared with other services, as a body that is checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Checked<T>(T);

/// What a shared shape must keep to.
pub(super) trait Check {
    /// The field that is wrong, and what is.
    fn wrong(&self) -> Option<(&'static str, &'static str)>;
}

impl<T: Check> Validate for Checked<T> {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> garde::Path, report: &mut garde::Report) {
        if let Some((field, message)) = self.0.wrong() {
            report.append(parent().join(field), garde::Error::new(message));
        }
    }
}

impl Check for HoldStock {
    fn wrong(&self) -> Option<(&'static str, &'static str)> {
        match self {
            held if held.cart_id.is_some() == held.order_id.is_some() => {
                Some(("cartId", "name either the cart or the order that holds"))
            }
            held if held.items.is_empty() || held.items.len() > LINES_MAX => {
                Some(("items", "send 1 to 100 lines"))
            }
            held if held.items.iter().any(|line| line.quantity == 0) => {
                Some(("items", "each line wants at least one piece"))
            }
            _ => None,
        }
    }
}

impl Check for ReleaseHold {
    fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let both = self.cart_id.is_some() && self.order_id.is_some();
        both.then_some(("cartId", "name either the cart or the order that holds, or neither"))
    }
}

impl Check for ExtendReservation {
    fn wrong(&self) -> Option<(&'static str, &'static str)> {
        None
    }
}

fn owner(cart: Option<CartId>, order: Option<OrderId>, customer_id: Option<CustomerId>) -> Option<Owner> {
    match (cart, order) {
        (_, Some(order_id)) => Some(Owner::Order { order_id, customer_id }),
        (Some(cart_id), None) => Some(Owner::Cart { cart_id, customer_id }),
        (None, None) => None,
    }
}

/// Cart may touch carts' holds, and nobody else's.
fn may_touch(caller: &Caller, owner: &Owner) -> Result<(), Rejection> {
    match (caller, owner) {
        (Caller::Service(name), Owner::Order { .. }) if name == "cart" => {
            let message = "this reservation is an order's: cart may only touch carts'";
            Err(Rejection::new(backbone::RejectionKind::Forbidden, "reservation-of-an-order", message))
        }
        _ => Ok(()),
    }
}

/// The reservation after the work, as the work's answer.
fn answer(ws: &mut Workspace<'_>, id: ReservationId) -> Result<serde_json::Value, Refusal> {
    let state = ws.state::<Reservation>(id)?;
    let view = ReservationView::of(&id.to_string(), &state);
    Ok(serde_json::to_value(view).expect("views are JSON"))
}

fn no(verdict: Verdict) -> Rejection {
    match verdict {
        Verdict::Refused { shortages, .. } if !shortages.is_empty() => error::insufficient(&shortages),
        Verdict::Refused { reason, .. } => {
            Rejection::conflict("reservation-refused", format!("nothing is held: {reason}"))
        }
        Verdict::Reserved(_) => Rejection::conflict("reservation-refused", "nothing is held"),
    }
}

/// A refusal is the answer here, so it leaves no trace: the same id may ask again.
pub(super) async fn hold(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    idempotency: IdempotencyHeader,
    body: Body<Checked<HoldStock>>,
) -> Result<Answer, Problem> {
    let key = idempotency.scoped("POST /api/inventory/reservations", &caller, body.fingerprint);
    let wanted = body.value.0;
    let owner = owner(wanted.cart_id, wanted.order_id, wanted.customer_id)
        .ok_or_else(|| Problem::invalid("cartId", "name either the cart or the order that holds"))?;
    may_touch(&caller, &owner)?;
    let priority = wanted.priority.unwrap_or(Priority::Normal);
    let config = counter.config.clone();
    let work = Work::new("hold-stock", origin, move |ws| {
        let reservation_id = wanted.reservation_id.unwrap_or_else(|| ReservationId(ws.uuid()));
        let lines = wanted.items.iter();
        let items = lines.map(|line| (ItemKey::new(line.product_id, line.variant_id), line.quantity));
        let asked =
            Asked { reservation_id, owner, items: items.collect(), expires_at: wanted.expires_at, priority };
        match commands::reserve(ws, &config, &asked)? {
            Verdict::Reserved(expires_at) => {
                let held = StockHeld { reservation_id, expires_at };
                Ok(serde_json::to_value(held).expect("contracts are JSON"))
            }
            refused => Err(no(refused).into()),
        }
    });
    let done = counter.context.run(work.priority(rank(priority)).idempotent(key)).await?;
    let held: StockHeld = serde_json::from_slice(&done.answer).map_err(Problem::defect)?;
    let location = format!("/api/inventory/reservations/{}", held.reservation_id);
    Ok(Answer::json_bytes(StatusCode::CREATED, done.answer).located(&location))
}

pub(super) async fn show(
    State(counter): State<Counter>,
    UrlPath(id): UrlPath<ReservationId>,
) -> Result<Answer, Problem> {
    let found = counter.context.get::<ReservationView>(id).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("reservation {id}")))?;
    Ok(Answer::ok(&found.document).etag(found.version))
}

pub(super) async fn confirm(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    UrlPath(id): UrlPath<ReservationId>,
) -> Result<Answer, Problem> {
    let work = Work::new("confirm-reservation", origin, move |ws| {
        if let Some(owner) = ws.state::<Reservation>(id)?.owner {
            may_touch(&caller, &owner)?;
        }
        commands::confirm_reservation(ws, id)?;
        answer(ws, id)
    });
    let done = counter.context.run(work).await?;
    Ok(Answer::json_bytes(StatusCode::OK, done.answer))
}

/// What is sold is not given back here: the order is cancelled or returned instead.
pub(super) async fn release(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    UrlPath(id): UrlPath<ReservationId>,
    body: Body<Checked<ReleaseHold>>,
) -> Result<Answer, Problem> {
    let named = owner(body.value.0.cart_id, body.value.0.order_id, None);
    let work = Work::new("release-reservation", origin, move |ws| {
        let state = ws.state::<Reservation>(id)?;
        if state.status == Status::Confirmed {
            return Err(error::already_sold(id).into());
        }
        if let Some(owner) = named.or(state.owner) {
            may_touch(&caller, &owner)?;
            if let Some(known) = state.owner {
                may_touch(&caller, &known)?;
            }
            if state.status != Status::Released {
                commands::release(ws, id, owner, ReleaseReason::ManualRelease)?;
            }
        }
        answer(ws, id)
    });
    let done = counter.context.run(work).await?;
    Ok(Answer::json_bytes(StatusCode::OK, done.answer))
}

pub(super) async fn extend(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    UrlPath(id): UrlPath<ReservationId>,
    body: Body<Checked<ExtendReservation>>,
) -> Result<Answer, Problem> {
    let until = body.value.0.expires_at;
    let hold_max = counter.config.hold_max;
    let work = Work::new("extend-reservation", origin, move |ws| {
        if let Some(owner) = ws.state::<Reservation>(id)?.owner {
            may_touch(&caller, &owner)?;
        }
        let extended = commands::extend(ws, id, until, hold_max)?;
        let kept =
            ReservationExtended { reservation_id: extended.reservation_id, expires_at: extended.expires_at };
        Ok(serde_json::to_value(kept).expect("contracts are JSON"))
    });
    let done = counter.context.run(work).await?;
    Ok(Answer::json_bytes(StatusCode::OK, done.answer))
}
