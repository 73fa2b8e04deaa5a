//! What this service offers over HTTP: a line for each.

use axum::routing::{get, patch, post};
use backbone::Context;
use backbone::route::{Access, Role, Route};
use http::Method;

use crate::config::Config;
use crate::ports::Ports;
use crate::views::QuoteAnswer;

mod access;
mod body;
mod change;
mod give_back;
mod history;
mod place;
mod pricing;
mod quote;
mod read;
mod saga;
mod stream;

pub use body::{
    CancelOrder, ChangeOrderItems, Inspection, PlaceOrder, PlacedOrder, QuoteRequest, ReturnRequest,
};
pub use history::HistoryEntry;
pub use read::{OrderAnswer, OrderSummary};
pub use saga::{SagaAnswer, TimelineEntry};

/// What the routes have at hand.
#[derive(Clone)]
pub struct Desk {
    /// Reads and decides.
    pub context: Context,
    /// Asks others.
    pub ports: Ports,
    /// What an operator can set.
    pub config: Config,
}

/// Who may handle returned goods.
const HANDLERS: &[Role] = &[Role::Artisan, Role::Admin];
/// Who has orders.
const BUYERS: &[Role] = &[Role::Customer, Role::Artisan, Role::Admin];

/// The list. What is public here is decided by each handler: the owner and operators by their
/// token, a guest by the key that came with the order (`x-order-key`).
pub fn routes(desk: Desk) -> Vec<Route> {
    let public = |method: Method, path, summary, handler: axum::routing::MethodRouter<Desk>| {
        Route::new(method, path, Access::Public, summary, handler.with_state(desk.clone()))
    };
    let people = |roles, method: Method, path, summary, handler: axum::routing::MethodRouter<Desk>| {
        Route::new(method, path, Access::People(roles), summary, handler.with_state(desk.clone()))
    };
    vec![
        public(Method::POST, "/api/orders", "Places an order", post(place::place))
            .takes::<PlaceOrder>()
            .gives::<PlacedOrder>(),
        people(BUYERS, Method::GET, "/api/orders", "Lists orders", get(read::list))
            .query::<read::ListQuery>()
            .gives::<http_kit::page::Page<OrderSummary>>(),
        public(Method::POST, "/api/orders/quote", "Prices a basket", post(quote::make))
            .takes::<QuoteRequest>()
            .gives::<QuoteAnswer>(),
        public(Method::GET, "/api/orders/quotes/{quoteId}", "Shows a quote", get(quote::show))
            .gives::<QuoteAnswer>(),
        public(Method::GET, "/api/orders/{id}", "Shows an order", get(read::one))
            .query::<read::OneQuery>()
            .gives::<OrderAnswer>(),
        public(Method::POST, "/api/orders/{id}/cancel", "Calls an order off", post(change::cancel))
            .takes::<CancelOrder>()
            .gives::<OrderAnswer>(),
        public(
            Method::PATCH,
            "/api/orders/{id}/items",
            "Changes the items of an order",
            patch(change::items),
        )
        .takes::<ChangeOrderItems>()
        .gives::<OrderAnswer>(),
        public(Method::POST, "/api/orders/{id}/returns", "Announces a return", post(give_back::ask))
            .takes::<ReturnRequest>()
            .gives::<OrderAnswer>(),
        people(
            HANDLERS,
            Method::POST,
            "/api/orders/{id}/returns/{returnId}/receive",
            "Takes returned goods in",
            post(give_back::receive),
        )
        .gives::<OrderAnswer>(),
        people(
            HANDLERS,
            Method::POST,
            "/api/orders/{id}/returns/{returnId}/inspect",
            "Says what an inspection found",
            post(give_back::inspect),
        )
        .takes::<Inspection>()
        .gives::<OrderAnswer>(),
        public(Method::GET, "/api/orders/{id}/events", "Shows an order's history", get(history::events))
            .query::<history::EventsQuery>()
            .gives::<history::History>(),
        public(Method::GET, "/api/orders/{id}/stream", "Follows an order (SSE)", get(stream::follow)),
        public(Method::GET, "/api/orders/{id}/saga", "Shows what an order's sagas did", get(saga::timeline))
            .gives::<Vec<SagaAnswer>>(),
    ]
}
