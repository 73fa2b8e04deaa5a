//! What payment offers over HTTP: a line for each route.

use std::sync::Arc;

use axum::routing::{get, post};
use backbone::Context;
use backbone::route::{Access, Role, Route};
use contracts::calls::{PaymentValidated, ValidatePayment};
use http::Method;

use crate::bookkeeping::LedgerEntry;
use crate::commands::charging::Counter;
use crate::ports::Payers;

mod acting;
mod reading;
mod shapes;
mod webhooks;

pub use shapes::{
    AnswerThreeDs, ConfirmTransfer, LedgerQuery, LedgerSheet, OfOrder, PaymentSheet, RefundPayment,
    RefundStarted, RequestInvoice, RequestedInvoices, WebhookNotice,
};

/// What the routes have at hand.
#[derive(Clone)]
pub struct Desk {
    /// Changes and reads state.
    pub context: Context,
    /// The settings and the gateways.
    pub counter: Arc<Counter>,
    /// The user service.
    pub payers: Arc<dyn Payers>,
}

const CUSTOMERS: Access = Access::Both(&[Role::Customer, Role::Artisan, Role::Admin], &["admin"]);
const OPERATORS: Access = Access::Both(&[Role::Admin], &["admin"]);
const EARNERS: Access = Access::Both(&[Role::Artisan, Role::Admin], &["admin"]);

/// The list.
pub fn routes(desk: Desk) -> Vec<Route> {
    [paying(&desk), operating(&desk)].concat()
}

/// What paying takes.
fn paying(desk: &Desk) -> Vec<Route> {
    vec![
        Route::new(
            Method::POST,
            "/api/payments/validate",
            Access::Services(&["order"]),
            "Checks whether a method can pay an amount",
            post(acting::validate).with_state(desk.clone()),
        )
        .takes::<ValidatePayment>()
        .gives::<PaymentValidated>(),
        Route::new(
            Method::GET,
            "/api/payments",
            CUSTOMERS,
            "The payments of an order",
            get(reading::of_order).with_state(desk.clone()),
        )
        .query::<OfOrder>()
        .gives::<Vec<PaymentSheet>>(),
        Route::new(
            Method::GET,
            "/api/payments/{id}",
            CUSTOMERS,
            "A payment",
            get(reading::payment).with_state(desk.clone()),
        )
        .gives::<PaymentSheet>(),
        Route::new(
            Method::POST,
            "/api/payments/{id}/3ds",
            Access::Public,
            "Takes in what the customer's bank answered; guests prove themselves by the question's token",
            post(acting::three_ds).with_state(desk.clone()),
        )
        .takes::<AnswerThreeDs>()
        .gives::<PaymentSheet>(),
        Route::new(
            Method::POST,
            "/api/payments/{id}/invoices",
            CUSTOMERS,
            "Makes out full invoices in place of simplified ones",
            post(acting::invoices).with_state(desk.clone()),
        )
        .takes::<RequestInvoice>()
        .gives::<RequestedInvoices>(),
        Route::new(
            Method::GET,
            "/api/payments/{id}/invoices",
            CUSTOMERS,
            "The invoices of a payment",
            get(reading::invoices).with_state(desk.clone()),
        )
        .gives::<Vec<crate::domain::invoice::Invoice>>(),
    ]
}

/// What operators, earners and gateways need.
fn operating(desk: &Desk) -> Vec<Route> {
    vec![
        Route::new(
            Method::POST,
            "/api/payments/{id}/refunds",
            OPERATORS,
            "Gives back some or all of a payment",
            post(acting::refund).with_state(desk.clone()),
        )
        .takes::<RefundPayment>()
        .gives::<RefundStarted>(),
        Route::new(
            Method::POST,
            "/api/payments/{id}/confirm-transfer",
            OPERATORS,
            "Says that a transfer is on the account",
            post(acting::confirm_transfer).with_state(desk.clone()),
        )
        .takes::<ConfirmTransfer>()
        .gives::<PaymentSheet>(),
        Route::new(
            Method::POST,
            "/api/payments/webhooks/{gateway}",
            Access::Public,
            "A gateway's hint that something became of a charge; signed",
            post(webhooks::receive).with_state(desk.clone()),
        )
        .takes::<WebhookNotice>(),
        Route::new(
            Method::GET,
            "/api/payments/ledger/{recipientId}",
            EARNERS,
            "What a recipient is owed, and the postings behind it",
            get(reading::ledger).with_state(desk.clone()),
        )
        .query::<LedgerQuery>()
        .gives::<LedgerSheet<LedgerEntry>>(),
    ]
}
