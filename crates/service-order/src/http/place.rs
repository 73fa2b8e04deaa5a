//! `POST /api/orders`.

use axum::extract::State;
use backbone::Work;
use backbone::route::{Caller, Role};
use contracts::shared::OrderState;
use http::StatusCode;
use http_kit::{Answer, Body, CallerIs, Execute, Idempotency, Origin, Problem};
use kernel::{CustomerId, OrderId, PaymentId, Personal, ReservationId};

use super::Desk;
use super::access::guest_key;
use super::body::{PlaceOrder, PlacedOrder};
use super::pricing::{Priced, Wanted};
use crate::commands;
use crate::domain::Placed;
use crate::ports::Flow;

const SCOPE: &str = "POST /api/orders";

pub(super) async fn place(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    key: Idempotency,
    body: Body<PlaceOrder>,
) -> Result<Answer, Problem> {
    key.required()?;
    let idempotency = key.scoped(SCOPE, &caller, body.fingerprint);
    // A repeated request must not ask others again: prices may have changed since.
    if let Some(known) = &idempotency
        && let Some(done) = desk.context.commands.answered(known).await?
    {
        return accepted(&done.answer);
    }
    let wish = body.value;
    let buyer = buyer(&caller, &wish)?;
    let wanted = Wanted {
        lines: &wish.items,
        country: &wish.delivery_address.country,
        postal_code: &wish.delivery_address.postal_code,
        prepared: desk.prepared(&wish).await?,
        flow: Flow { correlation_id: origin.correlation_id.clone(), key: None },
    };
    let priced = desk.price(wanted).await?;
    let config = desk.config.clone();
    let secret = desk.context.environment.secrets.bytes();
    let work = Work::new("place-order", origin, move |ws| {
        let (access_key, access_key_hash) = match buyer {
            Some(_) => (None, None),
            None => {
                let (key, hash) = guest_key(secret);
                (Some(key), Some(hash))
            }
        };
        let placed = Placed {
            order_id: OrderId(ws.uuid()),
            customer_id: buyer.unwrap_or_else(|| CustomerId(ws.uuid())),
            access_key_hash,
            reservation_id: ReservationId(ws.uuid()),
            payment_id: PaymentId(ws.uuid()),
            at: ws.now(),
            ..draft(&wish, &priced, buyer.is_none())
        };
        let answer = answer(&placed, &priced, access_key);
        commands::place(ws, placed, &config)?;
        Ok(serde_json::to_value(answer).expect("answers are JSON"))
    });
    let done = desk.context.run(work.idempotent(idempotency)).await?;
    accepted(&done.answer)
}

fn accepted(answer: &[u8]) -> Result<Answer, Problem> {
    let placed: PlacedOrder = serde_json::from_slice(answer).map_err(Problem::defect)?;
    Ok(Answer::accepted(format!("/api/orders/{}", placed.order_id), &placed))
}

/// Who buys; nobody known for a guest. Whoever is signed in orders for themselves.
fn buyer(caller: &Caller, wish: &PlaceOrder) -> Result<Option<CustomerId>, Problem> {
    match caller {
        Caller::Anonymous if wish.customer_id.is_some() => Err(Problem::of(
            StatusCode::UNAUTHORIZED,
            "sign-in-first",
            "sign in to order for an account, or leave customerId out and say who the guest is",
        )
        .at("customerId", "sign in first")),
        Caller::Anonymous if wish.guest.is_none() => {
            Err(Problem::invalid("guest", "say who orders (email, name), or sign in"))
        }
        Caller::Anonymous => Ok(None),
        Caller::Service(_) => Err(Problem::forbidden("people place orders, services do not")),
        Caller::Person { .. } if wish.guest.is_some() => {
            Err(Problem::invalid("guest", "whoever is signed in is no guest: leave this out"))
        }
        Caller::Person { id, role } => {
            let customer = wish.customer_id.unwrap_or(CustomerId(*id));
            if customer.0 == *id || *role == Role::Admin {
                return Ok(Some(customer));
            }
            Err(Problem::forbidden("a customer orders for themselves only").at("customerId", "not yours"))
        }
    }
}

/// What the request and the price say of the order; ids and time come with the decision.
fn draft(wish: &PlaceOrder, priced: &Priced, guest: bool) -> Placed {
    let who = wish.guest.as_ref().filter(|_| guest);
    Placed {
        order_id: OrderId::default(),
        customer_id: CustomerId::default(),
        guest,
        access_key_hash: None,
        quote_id: priced.quote_id,
        cart_id: wish.cart_id,
        items: priced.items.clone(),
        deliveries: priced.deliveries.clone(),
        total: priced.total,
        estimated_delivery: priced.estimated_delivery.clone(),
        delivery_address: Personal::Known(wish.delivery_address.clone().into()),
        guest_email: who.map(|guest| Personal::Known(guest.email.clone())),
        guest_name: who.map(|guest| Personal::Known(guest.name.clone())),
        metadata: wish.metadata.clone().map(Personal::Known),
        payment_method_id: Personal::Known(wish.payment_method_id.clone()),
        reservation_id: ReservationId::default(),
        payment_id: PaymentId::default(),
        at: kernel::Timestamp::default(),
    }
}

fn answer(placed: &Placed, priced: &Priced, access_key: Option<String>) -> PlacedOrder {
    PlacedOrder {
        order_id: placed.order_id,
        customer_id: placed.customer_id,
        quote_id: placed.quote_id,
        state: OrderState::Pending,
        goods: priced.goods,
        delivery: priced.delivery,
        vat: priced.vat,
        total: priced.total,
        estimated_delivery: priced.estimated_delivery.clone(),
        access_key,
    }
}
