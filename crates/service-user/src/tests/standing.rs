//! What others say of a person, and what order and payment ask.

use std::sync::Arc;

use backbone::testing::Stage;
use contracts::inventory::Priority;
use contracts::loyalty::{ChangeReason, PointsChanged};
use contracts::user::SegmentChanged;
use http::{Method, StatusCode};
use http_kit::testing::service;
use kernel::{Timestamp, UserId};
use serde_json::json;
use uuid::Uuid;

use super::{World, customer, world};
use crate::domain::Standing;

fn in_segments(user_id: UserId, segments: &[&str]) -> SegmentChanged {
    SegmentChanged {
        user_id,
        previous_segments: Vec::new(),
        current_segments: segments.iter().map(|segment| (*segment).to_owned()).collect(),
        triggers: Vec::new(),
        changed_at: Timestamp::default(),
    }
}

fn standing(world: &World, id: UserId) -> http_kit::testing::Reply {
    let order = service("order", "user");
    world.ask(Method::GET, &format!("/api/users/{id}/standing"), Some(&order), None)
}

#[test]
fn order_hears_who_may_order_and_unknown_people_are_unknown() {
    let world = world();
    let ana = world.ana();
    let reply = standing(&world, ana);
    assert_eq!(reply.status, StatusCode::OK, "{:?}", reply.body);
    assert_eq!((&reply.body["mayOrder"], &reply.body["priority"]), (&json!(true), &json!("normal")));
    assert_eq!(standing(&world, UserId(Uuid::from_u128(0x99))).status, StatusCode::NOT_FOUND);
    let path = format!("/api/users/{ana}/standing");
    assert_eq!(world.ask(Method::GET, &path, Some(&customer(ana)), None).status, StatusCode::FORBIDDEN);
}

#[test]
fn who_left_may_not_order() {
    let world = world();
    let ana = world.ana();
    world.ask(Method::DELETE, &format!("/api/users/{ana}"), Some(&customer(ana)), None);
    assert_eq!(standing(&world, ana).body["mayOrder"], false);
}

#[test]
fn changed_segments_are_on_the_profile_and_vips_are_served_first() {
    let world = world();
    let ana = world.ana();
    for (segments, priority) in [
        (&["frequent"] as &[&str], Priority::High),
        (&["frequent", "vip"], Priority::Vip),
        (&["lapsed"], Priority::Normal),
    ] {
        world.stage.receive(&in_segments(ana, segments)).unwrap();
        assert_eq!(standing(&world, ana).body["priority"], json!(priority));
    }
    let profile = world.ask(Method::GET, "/api/users/profile", Some(&customer(ana)), None);
    assert_eq!(profile.body["segments"], json!(["lapsed"]));
}

#[test]
fn changed_points_are_the_balance_on_the_profile() {
    let world = world();
    let ana = world.ana();
    let points = PointsChanged {
        user_id: ana,
        delta: 50,
        balance: 120,
        reason: ChangeReason::Welcome,
        order_id: None,
        changed_at: Timestamp::default(),
    };
    world.stage.receive(&points).unwrap();
    let profile = world.ask(Method::GET, "/api/users/profile", Some(&customer(ana)), None);
    assert_eq!(profile.body["points"], 120);
    assert_eq!(profile.headers["etag"], "\"1\"", "points do not disturb who edits the profile");
}

#[test]
fn what_is_said_of_guests_and_of_the_erased_leaves_nothing_behind() {
    let world = world();
    let guest = UserId(Uuid::from_u128(0x6E));
    world.stage.receive(&in_segments(guest, &["vip"])).unwrap();
    assert_eq!(world.stage.get::<Standing>(guest), None);
    let ana = world.ana();
    world.ask(Method::DELETE, &format!("/api/users/{ana}"), Some(&customer(ana)), None);
    world.stage.receive(&in_segments(ana, &["vip"])).unwrap();
    assert_eq!(world.stage.get::<Standing>(ana).unwrap().segments, Vec::<String>::new());
}

#[test]
fn every_event_that_names_user_as_a_consumer_has_a_reaction() {
    let stage = Stage::new("user");
    let config = crate::Config::new(crate::HashKey::new(&[7; 32]));
    let module = crate::module(&stage.context(), config, Arc::new(super::Keys::default()));
    for event in contracts::catalogue().iter().filter(|event| event.consumers.contains(&"user")) {
        let reactions = module.reactions.iter().filter(|reaction| reaction.event.name == event.name);
        assert_eq!(reactions.count(), 1, "{}", event.name);
    }
}
