//! What shipping offers over HTTP: a line for each.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{MethodRouter, get, post};
use backbone::collection::Query;
use backbone::route::{Access, Caller, Role, Route};
use backbone::work::Origin as Cause;
use backbone::{Context, Work, Workspace};
use contracts::calls::DeliveryRates;
use contracts::shared::{Address, DateRange};
use garde::Validate;
use http::Method;
use http_kit::{Answer, Body, CallerIs, Execute as _, Idempotency, Origin, Problem, UrlPath, UrlQuery};
use kernel::{ArtisanId, OrderId, Personal, ShipmentId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::commands;
use crate::config::Config;
use crate::domain::{Consignment, Destination, Dispatch, Parcel, SHIPMENTS, Shipment, Status, rates};

const EVERYBODY: &[Role] = &[Role::Customer, Role::Artisan, Role::Admin];
const SENDERS: &[Role] = &[Role::Artisan, Role::Admin];
/// The most artisans in one order.
const ARTISANS_MAX: usize = 100;

/// What handlers have at hand.
#[derive(Clone)]
pub(crate) struct Depot {
    pub(crate) context: Context,
    pub(crate) config: Arc<Config>,
}

/// The list.
pub(crate) fn routes(depot: Depot) -> Vec<Route> {
    let route = |method, path, access, summary, handler: MethodRouter<Depot>| {
        Route::new(method, path, access, summary, handler.with_state(depot.clone()))
    };
    vec![
        route(
            Method::GET,
            "/api/shipping/rates",
            Access::Both(EVERYBODY, &["order", "cart"]),
            "What the delivery of a basket costs and when it arrives",
            get(quote_rates),
        )
        .query::<RatesQuery>()
        .gives::<DeliveryRates>(),
        route(
            Method::GET,
            "/api/shipments",
            Access::People(EVERYBODY),
            "An order's shipments, for its customer and its artisans",
            get(of_order),
        )
        .query::<OrderQuery>()
        .gives::<Vec<ShipmentView>>(),
        route(
            Method::GET,
            "/api/shipments/{tracking}",
            Access::Public,
            "How far a parcel is, for whoever has its tracking number",
            get(track),
        )
        .gives::<Tracking>(),
        route(
            Method::POST,
            "/api/shipments/{id}/dispatch",
            Access::People(SENDERS),
            "A parcel leaves",
            post(dispatch),
        )
        .takes::<DispatchBody>(),
        route(
            Method::POST,
            "/api/shipments/{id}/deliver",
            Access::People(SENDERS),
            "A parcel has arrived",
            post(deliver),
        )
        .takes::<DeliverBody>(),
    ]
}

/// Whose basket, and where it goes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RatesQuery {
    /// ISO 3166-1 alpha-2: `ES`.
    country: String,
    /// `23001`.
    postal_code: String,
    /// The artisans, with commas between them.
    artisans: String,
    /// Pieces in all.
    pieces: u32,
}

async fn quote_rates(
    State(depot): State<Depot>,
    UrlQuery(wanted): UrlQuery<RatesQuery>,
) -> Result<Answer, Problem> {
    let artisans = wanted.artisans.split(',').map(|id| id.trim().parse::<ArtisanId>());
    let artisans: Vec<ArtisanId> = artisans
        .collect::<Result<_, _>>()
        .map_err(|_| Problem::invalid("artisans", "give artisans' ids with commas between them"))?;
    if !(1..=ARTISANS_MAX).contains(&artisans.len()) {
        return Err(Problem::invalid("artisans", "give 1 to 100 artisans"));
    }
    if !(1..=1_000_000).contains(&wanted.pieces) {
        return Err(Problem::invalid("pieces", "give 1 to 1,000,000 pieces"));
    }
    let destination = Destination { country: &wanted.country, postal_code: &wanted.postal_code };
    let found = rates(&depot.config, depot.context.now(), destination, (&artisans, wanted.pieces));
    Ok(Answer::ok(&found.map_err(Problem::from)?))
}

/// Which order.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OrderQuery {
    /// The order.
    order_id: OrderId,
}

/// A shipment for those who send or receive it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ShipmentView {
    shipment_id: ShipmentId,
    order_id: OrderId,
    artisan_id: ArtisanId,
    status: Status,
    carrier: String,
    tracking_number: Option<String>,
    pickup: DateRange,
    estimated_delivery: DateRange,
    dispatched_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    /// Where it goes; *redacted* when the customer was erased.
    address: Option<Personal<Address>>,
    /// What is in it.
    parcel: Option<Parcel>,
}

async fn of_order(
    State(depot): State<Depot>,
    CallerIs(caller): CallerIs,
    UrlQuery(wanted): UrlQuery<OrderQuery>,
) -> Result<Answer, Problem> {
    let unknown = || Problem::not_found(format!("order {}", wanted.order_id));
    let consignment = depot.context.get::<Consignment>(wanted.order_id).await?.ok_or_else(unknown)?.document;
    let customer = consignment.customer_id.is_some_and(|customer| caller.may_act_for(customer.0));
    let query = Query::all(&SHIPMENTS).equal("order_id", wanted.order_id.0);
    let found = depot.context.find::<Shipment>(query).await?;
    let shipments = found.into_iter().map(|found| found.document);
    let seen: Vec<ShipmentView> = shipments
        .filter(|shipment| customer || caller.may_act_for(shipment.artisan_id.0))
        .map(|shipment| view(shipment, &consignment))
        .collect();
    // Somebody who has nothing to do with the order does not learn that there is one.
    if seen.is_empty() && !customer {
        return Err(unknown());
    }
    Ok(Answer::ok(&seen))
}

fn view(shipment: Shipment, consignment: &Consignment) -> ShipmentView {
    let mine = |parcel: &&Parcel| parcel.artisan_id == shipment.artisan_id;
    ShipmentView {
        parcel: consignment.parcels.iter().find(mine).cloned(),
        address: consignment.address.clone(),
        shipment_id: shipment.shipment_id,
        order_id: shipment.order_id,
        artisan_id: shipment.artisan_id,
        status: shipment.status,
        carrier: shipment.carrier,
        tracking_number: shipment.tracking_number,
        pickup: shipment.pickup,
        estimated_delivery: shipment.estimated_delivery,
        dispatched_at: shipment.dispatched_at,
        delivered_at: shipment.delivered_at,
    }
}

/// How far a parcel is. It says neither who sent it nor who receives it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Tracking {
    tracking_number: String,
    status: Status,
    carrier: String,
    estimated_delivery: DateRange,
    dispatched_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
}

async fn track(State(depot): State<Depot>, UrlPath(number): UrlPath<String>) -> Result<Answer, Problem> {
    let query = Query::all(&SHIPMENTS).equal("tracking", number.as_str()).limit(1);
    let found = depot.context.find::<Shipment>(query).await?.into_iter().next();
    let shipment = found.ok_or_else(|| Problem::not_found("parcel with this tracking number"))?.document;
    Ok(Answer::ok(&Tracking {
        tracking_number: number,
        status: shipment.status,
        carrier: shipment.carrier,
        estimated_delivery: shipment.estimated_delivery,
        dispatched_at: shipment.dispatched_at,
        delivered_at: shipment.delivered_at,
    }))
}

/// How a parcel leaves.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DispatchBody {
    /// The carrier's number for following it.
    #[garde(length(chars, min = 4, max = 64))]
    tracking_number: String,
    /// Who carries it, where it is not the carrier that was planned.
    #[garde(length(chars, min = 1, max = 60))]
    carrier: Option<String>,
}

/// How a parcel arrived.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeliverBody {
    /// The carrier's reference of the signature or photograph.
    #[garde(length(chars, min = 1, max = 200))]
    proof: Option<String>,
}

/// The artisan whose parcels alone this caller may handle; none for operators.
fn only(caller: &Caller) -> Option<ArtisanId> {
    caller.person().filter(|_| !caller.is_admin()).map(ArtisanId)
}

async fn dispatch(
    State(depot): State<Depot>,
    UrlPath(id): UrlPath<ShipmentId>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    idempotency: Idempotency,
    body: Body<DispatchBody>,
) -> Result<Answer, Problem> {
    let only = only(&caller);
    let how = Dispatch { tracking_number: body.value.tracking_number, carrier: body.value.carrier };
    let key = idempotency.scoped(&format!("POST /api/shipments/{id}/dispatch"), &caller, body.fingerprint);
    let act = work("dispatch", origin, move |ws| commands::dispatch(ws, id, only, &how));
    depot.context.run(act.idempotent(key)).await?;
    Ok(Answer::no_content())
}

async fn deliver(
    State(depot): State<Depot>,
    UrlPath(id): UrlPath<ShipmentId>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    idempotency: Idempotency,
    body: Body<DeliverBody>,
) -> Result<Answer, Problem> {
    let only = only(&caller);
    let proof = body.value.proof;
    let key = idempotency.scoped(&format!("POST /api/shipments/{id}/deliver"), &caller, body.fingerprint);
    let act = work("deliver", origin, move |ws| commands::deliver(ws, id, only, proof.as_deref()));
    depot.context.run(act.idempotent(key)).await?;
    Ok(Answer::no_content())
}

fn work(
    name: &'static str,
    origin: Cause,
    act: impl Fn(&mut Workspace<'_>) -> Result<(), backbone::Refusal> + Send + Sync + 'static,
) -> Work {
    Work::new(name, origin, move |ws| act(ws).map(|()| Value::Null))
}
