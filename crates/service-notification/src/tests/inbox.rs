//! The inbox over HTTP.

use axum::Router;
use backbone::route::Role;
use futures::executor::block_on;
use http::{Method, StatusCode};
use http_kit::testing::{Reply, person, request, send};
use kernel::{Duration, Money};
use uuid::Uuid;

use super::{ANA, MILL, created, deliver_scheduled, oil_news, registered, stage, told};
use crate::domain::{Followers, Recipient};

fn ask(router: &Router, method: Method, path: &str, by: Uuid) -> Reply {
    block_on(send(router, request(method, path, Some(&person(by, Role::Customer)), None)))
}

#[test]
fn people_read_their_own_messages_in_their_language_the_latest_first() {
    let (stage, router) = stage();
    stage.receive(&registered()).unwrap();
    deliver_scheduled(&stage);
    stage.advance(Duration::from_secs(60));
    stage.receive(&created()).unwrap();
    deliver_scheduled(&stage);
    let inbox = ask(&router, Method::GET, "/api/notifications?limit=1", ANA.0);
    assert_eq!(inbox.status, StatusCode::OK, "{:?}", inbox.body);
    assert_eq!(inbox.body["items"][0]["title"], "We have received your order 0A4C0001");
    assert!(inbox.body["items"][0]["body"].as_str().unwrap().contains(&Money::eur(5_100).to_string()));
    assert_eq!(inbox.body["unread"], 2);
    let path = format!("/api/notifications?limit=1&cursor={}", inbox.body["next"].as_str().unwrap());
    let second = ask(&router, Method::GET, &path, ANA.0);
    assert_eq!(second.body["items"][0]["title"], "Welcome, Ana");
    assert_eq!(second.body.get("next"), None);
    assert_eq!(ask(&router, Method::GET, "/api/notifications", MILL.0).body["unread"], 0);
}

#[test]
fn a_message_is_marked_as_read_by_its_recipient_alone() {
    let (stage, router) = stage();
    stage.receive(&created()).unwrap();
    let id = deliver_scheduled(&stage)[0].notification_id;
    let path = format!("/api/notifications/{id}/read");
    assert_eq!(ask(&router, Method::POST, &path, MILL.0).status, StatusCode::NOT_FOUND);
    for _ in 0..2 {
        assert_eq!(ask(&router, Method::POST, &path, ANA.0).status, StatusCode::NO_CONTENT);
    }
    assert_eq!(ask(&router, Method::GET, "/api/notifications", ANA.0).body["unread"], 0);
}

#[test]
fn who_follows_an_artisan_is_told_of_new_products_until_they_stop() {
    let (stage, router) = stage();
    let path = format!("/api/notifications/following/{MILL}");
    for _ in 0..2 {
        assert_eq!(ask(&router, Method::PUT, &path, ANA.0).status, StatusCode::NO_CONTENT);
    }
    assert_eq!(stage.get::<Followers>(MILL).unwrap().people.len(), 1);
    assert_eq!(told(&stage, &oil_news()), [(ANA.0, "new-product".to_owned())]);
    assert_eq!(ask(&router, Method::DELETE, &path, ANA.0).status, StatusCode::NO_CONTENT);
    assert_eq!(told(&stage, &oil_news()), []);
    assert_eq!(stage.get::<Recipient>(ANA).unwrap().following, []);
}
