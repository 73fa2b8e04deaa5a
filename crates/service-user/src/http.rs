//! What this service offers over HTTP: a line for each.

use std::sync::Arc;

use axum::routing::{MethodRouter, delete, get, post, put};
use backbone::Context;
use backbone::route::{Access, Caller, Role, Route};
use contracts::calls;
use contracts::shared::UserPreferences;
use http::Method;
use http_kit::Problem;
use kernel::UserId;

use crate::config::Config;

mod account;
mod lookups;
mod wallet;

const EVERYBODY: &[Role] = &[Role::Customer, Role::Artisan, Role::Admin];

/// What handlers have at hand.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) context: Context,
    pub(crate) config: Arc<Config>,
}

/// The list.
pub(crate) fn routes(desk: Desk) -> Vec<Route> {
    [of_accounts(&desk), of_wallets(&desk), of_others(&desk)].concat()
}

/// Makes routes that have `desk` at hand.
fn at(desk: &Desk) -> impl Fn(Method, &'static str, Access, &'static str, MethodRouter<Desk>) -> Route {
    let desk = desk.clone();
    move |method, path, access, summary, handler| {
        Route::new(method, path, access, summary, handler.with_state(desk.clone()))
    }
}

/// The account: what a person does with it.
fn of_accounts(desk: &Desk) -> Vec<Route> {
    use Method as M;
    let (route, people) = (at(desk), Access::People(EVERYBODY));
    vec![
        route(M::POST, "/api/users", Access::Public, "Opens an account", post(account::register))
            .takes::<account::NewAccount>()
            .gives::<account::Opened>(),
        route(M::GET, "/api/users/profile", people, "One's own profile", get(account::profile))
            .gives::<account::ProfileView>(),
        route(
            M::PUT,
            "/api/users/{userId}/profile",
            people,
            "Changes name and location",
            put(account::introduce),
        )
        .takes::<account::NewProfile>(),
        route(
            M::PUT,
            "/api/users/{userId}/preferences",
            people,
            "Changes what a person wants of the market",
            put(account::prefer),
        )
        .takes::<UserPreferences>(),
        route(
            M::POST,
            "/api/users/{userId}/addresses",
            people,
            "Keeps an address for the checkout",
            post(account::keep_address),
        )
        .takes::<account::NewAddress>()
        .gives::<account::Kept>(),
        route(
            M::DELETE,
            "/api/users/{userId}/addresses/{addressId}",
            people,
            "Forgets an address",
            delete(account::forget_address),
        ),
        route(
            M::DELETE,
            "/api/users/{userId}",
            people,
            "Erases a person (GDPR, art. 17)",
            delete(account::erase),
        ),
    ]
}

/// Stored payment methods.
fn of_wallets(desk: &Desk) -> Vec<Route> {
    use Method as M;
    let (route, people) = (at(desk), Access::People(EVERYBODY));
    vec![
        route(
            M::GET,
            "/api/users/{userId}/payment-methods",
            Access::Both(EVERYBODY, &["payment"]),
            "A person's stored payment methods",
            get(wallet::methods),
        )
        .gives::<calls::StoredMethods>(),
        route(
            M::POST,
            "/api/users/{userId}/payment-methods",
            people,
            "Stores a payment method by its gateway's token",
            post(wallet::store),
        )
        .takes::<wallet::NewMethod>()
        .gives::<wallet::Stored>(),
        route(
            M::DELETE,
            "/api/users/{userId}/payment-methods/{methodId}",
            people,
            "Removes a stored payment method",
            delete(wallet::remove),
        ),
    ]
}

/// What others ask of a person, and what the person carries away.
fn of_others(desk: &Desk) -> Vec<Route> {
    use Method as M;
    let (route, people) = (at(desk), Access::People(EVERYBODY));
    vec![
        route(
            M::GET,
            "/api/users/{userId}/standing",
            Access::Services(&["order"]),
            "Whether a customer may order, and who is served first",
            get(lookups::standing),
        )
        .gives::<calls::Standing>(),
        route(
            M::GET,
            "/api/users/{userId}/payment-profile",
            Access::Services(&["payment"]),
            "How a person pays",
            get(lookups::payment_profile),
        )
        .gives::<calls::PaymentProfile>(),
        route(
            M::GET,
            "/api/users/{userId}/export",
            people,
            "All that is kept of a person (GDPR, art. 15 and 20)",
            get(lookups::export),
        )
        .gives::<lookups::Export>(),
    ]
}

/// The caller may act for this person, or hears that they may not.
pub(crate) fn own(caller: &Caller, id: UserId) -> Result<(), Problem> {
    if caller.may_act_for(id.0) {
        return Ok(());
    }
    Err(Problem::forbidden("this is another person's account: only they and operators may"))
}

/// There is no such account.
pub(crate) fn unknown(id: UserId) -> Problem {
    Problem::not_found(format!("user {id}"))
}
