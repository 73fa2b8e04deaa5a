//! What inventory offers over HTTP: a line for each route.

use std::sync::Arc;

use axum::routing::{get, post, put};
use backbone::Context;
use backbone::route::{Access, Role, Route};
use contracts::calls::{
    Availability, ExtendReservation, HoldStock, ReleaseHold, ReservationExtended, StockHeld,
};
use http::Method;
use http_kit::page::Page;

use crate::catalogue::ArtisanSettings;
use crate::config::Config;
use crate::domain::stock::Rules;
use crate::movements::Movement;
use crate::purchasing::{PurchaseOrder, Supplier};
use crate::views::{ReservationView, StockView};

mod availability;
mod movements;
mod purchasing;
mod reservations;
mod settings;
mod stock;

pub use availability::ProductsQuery;
pub use movements::MovementsQuery;
pub use purchasing::{ArtisanQuery, NewSupplier, PurchaseOrdersQuery, Receive, SupplierTerms};
pub use settings::Settings;
pub use stock::{CountStock, StockQuery};

/// What the routes have at hand.
#[derive(Clone)]
pub struct Counter {
    /// Changes and reads state.
    pub context: Context,
    /// The settings.
    pub config: Arc<Config>,
}

const HOLDERS: Access = Access::Both(&[Role::Admin], &["order", "cart"]);
const SELLERS: Access = Access::People(&[Role::Artisan, Role::Admin]);

/// The list.
pub fn routes(counter: &Counter) -> Vec<Route> {
    let mut routes = availability_routes(counter);
    routes.extend(reservation_routes(counter));
    routes.extend(stock_routes(counter));
    routes.extend(purchasing_routes(counter));
    routes
}

fn availability_routes(counter: &Counter) -> Vec<Route> {
    vec![
        Route::new(
            Method::GET,
            "/api/inventory/availability/{productId}",
            Access::Public,
            "What of a product can be bought",
            get(availability::of_product).with_state(counter.clone()),
        )
        .gives::<Availability>(),
        Route::new(
            Method::GET,
            "/api/inventory/availability",
            Access::Public,
            "What of several products can be bought",
            get(availability::of_products).with_state(counter.clone()),
        )
        .query::<ProductsQuery>()
        .gives::<Availability>(),
    ]
}

fn reservation_routes(counter: &Counter) -> Vec<Route> {
    vec![
        Route::new(
            Method::POST,
            "/api/inventory/reservations",
            HOLDERS,
            "Holds pieces of several items, all or none",
            post(reservations::hold).with_state(counter.clone()),
        )
        .takes::<HoldStock>()
        .gives::<StockHeld>(),
        Route::new(
            Method::GET,
            "/api/inventory/reservations/{id}",
            HOLDERS,
            "A reservation",
            get(reservations::show).with_state(counter.clone()),
        )
        .gives::<ReservationView>(),
        Route::new(
            Method::POST,
            "/api/inventory/reservations/{id}/confirm",
            HOLDERS,
            "Sells what an order's reservation holds",
            post(reservations::confirm).with_state(counter.clone()),
        )
        .gives::<ReservationView>(),
        Route::new(
            Method::POST,
            "/api/inventory/reservations/{id}/release",
            HOLDERS,
            "Gives back what a reservation holds; nothing to give back is success",
            post(reservations::release).with_state(counter.clone()),
        )
        .takes::<ReleaseHold>()
        .gives::<ReservationView>(),
        Route::new(
            Method::POST,
            "/api/inventory/reservations/{id}/extend",
            HOLDERS,
            "Keeps a reservation longer, never shorter",
            post(reservations::extend).with_state(counter.clone()),
        )
        .takes::<ExtendReservation>()
        .gives::<ReservationExtended>(),
    ]
}

fn stock_routes(counter: &Counter) -> Vec<Route> {
    let artisan_settings = "/api/inventory/artisans/{artisanId}/settings";
    let rules = "/api/inventory/stock/{variantId}/rules";
    let item = "/api/inventory/stock/{variantId}";
    let served = |handler: axum::routing::MethodRouter<Counter>| handler.with_state(counter.clone());
    vec![
        Route::new(
            Method::GET,
            "/api/inventory/stock",
            SELLERS,
            "An artisan's stock",
            served(get(stock::list)),
        )
        .query::<StockQuery>()
        .gives::<Page<StockView>>(),
        Route::new(Method::GET, item, SELLERS, "An item of stock", served(get(stock::show)))
            .gives::<StockView>(),
        Route::new(
            Method::PUT,
            item,
            SELLERS,
            "Counts an item, or opens its stock; the path names a variant, or a product without variants",
            served(put(stock::count)),
        )
        .takes::<CountStock>()
        .gives::<StockView>(),
        Route::new(Method::GET, rules, SELLERS, "What is settled for an item", served(get(settings::rules)))
            .gives::<Rules>(),
        Route::new(
            Method::PUT,
            rules,
            SELLERS,
            "Settles thresholds, auto-restock, supplier and backorders of an item",
            served(put(settings::set_rules)),
        )
        .takes::<Rules>()
        .gives::<Rules>(),
        Route::new(
            Method::GET,
            artisan_settings,
            SELLERS,
            "What is settled for all items of an artisan",
            served(get(settings::of_artisan)),
        )
        .gives::<ArtisanSettings>(),
        Route::new(
            Method::PUT,
            artisan_settings,
            SELLERS,
            "Settles what holds for all items of an artisan",
            served(put(settings::set_of_artisan)),
        )
        .takes::<Settings>()
        .gives::<ArtisanSettings>(),
        Route::new(
            Method::GET,
            "/api/inventory/movements",
            SELLERS,
            "Every change of pieces with its cause and order, newest first",
            served(get(movements::list)),
        )
        .query::<MovementsQuery>()
        .gives::<Page<Movement>>(),
    ]
}

fn purchasing_routes(counter: &Counter) -> Vec<Route> {
    let suppliers = "/api/inventory/suppliers";
    let orders = "/api/inventory/purchase-orders";
    let served = |handler: axum::routing::MethodRouter<Counter>| handler.with_state(counter.clone());
    vec![
        Route::new(
            Method::GET,
            suppliers,
            SELLERS,
            "An artisan's suppliers",
            served(get(purchasing::suppliers)),
        )
        .query::<ArtisanQuery>()
        .gives::<Page<Supplier>>(),
        Route::new(
            Method::POST,
            suppliers,
            SELLERS,
            "Adds a supplier",
            served(post(purchasing::add_supplier)),
        )
        .takes::<NewSupplier>()
        .gives::<Supplier>(),
        Route::new(
            Method::GET,
            "/api/inventory/suppliers/{id}",
            SELLERS,
            "A supplier",
            served(get(purchasing::supplier)),
        )
        .gives::<Supplier>(),
        Route::new(
            Method::PUT,
            "/api/inventory/suppliers/{id}",
            SELLERS,
            "Changes a supplier's terms",
            served(put(purchasing::change_supplier)),
        )
        .takes::<SupplierTerms>()
        .gives::<Supplier>(),
        Route::new(
            Method::GET,
            orders,
            SELLERS,
            "An artisan's purchase orders",
            served(get(purchasing::orders)),
        )
        .query::<PurchaseOrdersQuery>()
        .gives::<Page<PurchaseOrder>>(),
        Route::new(
            Method::GET,
            "/api/inventory/purchase-orders/{id}",
            SELLERS,
            "A purchase order",
            served(get(purchasing::order)),
        )
        .gives::<PurchaseOrder>(),
        Route::new(
            Method::POST,
            "/api/inventory/purchase-orders/{id}/receive",
            SELLERS,
            "Takes in pieces that were ordered",
            served(post(purchasing::receive)),
        )
        .takes::<Receive>()
        .gives::<PurchaseOrder>(),
    ]
}
