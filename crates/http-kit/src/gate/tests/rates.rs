//! How often somebody may ask.

use std::net::SocketAddr;

use adapter_memory::Capacity;
use axum::extract::ConnectInfo;
use backbone::ephemeral::Quota;

use super::*;

const ANA: &str = "192.0.2.1:4711";
const BEN: &str = "192.0.2.2:4711";

/// A gate behind one proxy, with 3 requests for a person, 2 for a service and 1 for an address.
fn limited() -> Router {
    let environment = HandMade::running().environment();
    let limits = adapter_memory::ephemeral(&environment, Capacity::default()).limits;
    let of = |requests| Some(Quota::a_minute(requests));
    let rates = Rates { limits, person: of(3), service: of(2), address: of(1), proxies: 1 };
    let permissions = ["call:GET /services".to_owned()];
    let tokens = Arc::new(crate::testing::PlainTokens::permitting(permissions));
    let gate = Gate { rates: Some(rates), ..Gate::new(tokens, environment) };
    router([("thing", routes())], &gate).unwrap()
}

/// Asks until it is refused for asking; gives how often it was not.
async fn asks(
    router: &Router,
    path: &str,
    token: Option<&str>,
    from: Option<&str>,
) -> (usize, Option<Reply>) {
    for count in 0..10 {
        let mut request = request(Method::GET, path, token, None);
        if let Some(from) = from {
            request.extensions_mut().insert(ConnectInfo(from.parse::<SocketAddr>().unwrap()));
        }
        let reply = send(router, request).await;
        if reply.status == 429 {
            return (count, Some(reply));
        }
    }
    (10, None)
}

#[tokio::test]
async fn a_person_a_service_and_an_address_have_their_own_quotas() {
    let router = limited();
    let (ana, ben) = (buyer(), person(Uuid::from_u128(8), Role::Customer));
    let order = service("order", "thing");
    let table: &[(&str, Option<&str>, Option<&str>, usize)] = &[
        ("/people", Some(&ana), Some(ANA), 3),
        ("/people", Some(&ana), Some(BEN), 0),
        ("/people", Some(&ben), Some(ANA), 3),
        ("/services", Some(&order), Some(ANA), 2),
        ("/api/things", None, Some(ANA), 1),
        ("/api/things", None, Some("192.0.2.1:4712"), 0),
        ("/people", Some("forged"), Some(BEN), 1),
        ("/api/things", None, Some(BEN), 0),
    ];
    for (path, token, from, expected) in table {
        let (count, refused) = asks(&router, path, *token, *from).await;
        assert_eq!(count, *expected, "{path} {token:?} {from:?}");
        let refused = refused.unwrap();
        assert_eq!((refused.code(), refused.body["status"].as_u64()), ("too-many-requests", Some(429)));
        assert_eq!(refused.headers["content-type"], "application/problem+json");
        let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        assert!(!refused.body.to_string().contains("192.0.2"), "{:?}", refused.body);
    }
}

#[tokio::test]
async fn what_comes_over_no_network_is_not_counted() {
    let (ana, order) = (buyer(), service("order", "thing"));
    for (path, token) in [("/people", Some(&ana)), ("/services", Some(&order)), ("/api/things", None)] {
        assert_eq!(asks(&limited(), path, token.map(String::as_str), None).await.0, 10, "{path}");
    }
}

#[tokio::test]
async fn behind_a_proxy_the_address_is_the_one_that_it_heard() {
    let router = limited();
    for (client, expected) in [("198.51.100.7", 200), ("198.51.100.8", 200), ("198.51.100.7", 429)] {
        let mut request = request(Method::GET, "/api/things", None, None);
        request.extensions_mut().insert(ConnectInfo(ANA.parse::<SocketAddr>().unwrap()));
        let said = format!("10.0.0.1, {client}");
        request.headers_mut().insert("x-forwarded-for", said.parse().unwrap());
        assert_eq!(send(&router, request).await.status, expected, "{client}");
    }
}
