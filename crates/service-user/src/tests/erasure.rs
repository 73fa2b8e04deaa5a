//! A person leaves.

use backbone::saga::{Instance, InstanceOf, Phase};
use backbone::system::Claim;
use contracts::user::Erased;
use http::{Method, StatusCode};
use kernel::{Duration, UserId};
use serde_json::json;
use uuid::Uuid;

use super::{World, admin, customer, world};
use crate::domain::{Account, Standing, Status, Wallet};
use crate::erasure::{Call, Data, UserErasure};

fn phase(world: &World, id: UserId) -> Phase {
    let key = Instance::<Data, Call>::key("user-erasure", id.0);
    world.stage.get::<InstanceOf<UserErasure>>(key).unwrap().phase
}

fn leave(world: &World, id: UserId, by: &str) -> StatusCode {
    world.ask(Method::DELETE, &format!("/api/users/{id}"), Some(by), None).status
}

#[test]
fn who_leaves_is_forgotten_at_once_and_their_key_is_destroyed() {
    let world = world();
    let ana = world.ana();
    assert_eq!(leave(&world, ana, &customer(ana)), StatusCode::ACCEPTED);
    let account = world.stage.get::<Account>(ana).unwrap();
    assert_eq!(account.status, Status::Erased);
    assert!(account.email.is_redacted() && account.addresses.is_redacted());
    assert!(!serde_json::to_string(&account).unwrap().contains("Ruiz"));
    assert_eq!(world.stage.all::<Claim>(), []);
    assert_eq!(world.stage.get::<Wallet>(ana), None);
    assert!(!world.stage.get::<Standing>(ana).unwrap().active);
    assert_eq!(world.stage.take::<Erased>()[0].user_id, ana);
    assert_eq!(phase(&world, ana), Phase::Running);
    world.stage.perform_calls();
    assert_eq!(*world.keys.destroyed.lock().unwrap(), [ana.0]);
    assert_eq!(phase(&world, ana), Phase::Completed);
}

#[test]
fn a_key_that_cannot_be_destroyed_now_is_destroyed_later() {
    let world = world();
    let ana = world.ana();
    *world.keys.failures.lock().unwrap() = 12;
    leave(&world, ana, &customer(ana));
    for _ in 0..20 {
        world.stage.perform_calls();
        world.stage.advance(Duration::from_secs(61));
    }
    assert_eq!(*world.keys.destroyed.lock().unwrap(), [ana.0]);
    assert_eq!(phase(&world, ana), Phase::Completed);
}

#[test]
fn an_erasure_goes_on_after_a_crash() {
    let world = world();
    let ana = world.ana();
    leave(&world, ana, &customer(ana));
    world.stage.crash_and_resume();
    world.stage.perform_calls();
    assert_eq!(*world.keys.destroyed.lock().unwrap(), [ana.0]);
}

#[test]
fn leaving_twice_is_told_once() {
    let world = world();
    let ana = world.ana();
    leave(&world, ana, &customer(ana));
    assert_eq!(leave(&world, ana, &customer(ana)), StatusCode::ACCEPTED);
    assert_eq!(world.stage.take::<Erased>().len(), 1);
}

#[test]
fn the_address_is_free_again_for_a_new_person() {
    let world = world();
    let ana = world.ana();
    leave(&world, ana, &customer(ana));
    assert_ne!(world.ana(), ana);
}

#[test]
fn an_operator_erases_guests_and_nobody_erases_strangers() {
    let world = world();
    let guest = UserId(Uuid::from_u128(0x6E));
    assert_eq!(leave(&world, guest, &customer(guest)), StatusCode::NOT_FOUND);
    assert_eq!(leave(&world, guest, &admin()), StatusCode::ACCEPTED);
    world.stage.perform_calls();
    assert_eq!(*world.keys.destroyed.lock().unwrap(), [guest.0]);
}

#[test]
fn people_carry_away_all_that_is_kept_of_them() {
    let world = world();
    let ana = world.ana();
    let method = json!({"methodType": "card", "gatewayToken": "tok_visa", "label": "•••• 4242"});
    let path = format!("/api/users/{ana}/payment-methods");
    world.ask(Method::POST, &path, Some(&customer(ana)), Some(&method));
    let path = format!("/api/users/{ana}/export");
    let reply = world.ask(Method::GET, &path, Some(&customer(ana)), None);
    assert_eq!(reply.body["account"]["email"], "ana@example.org");
    assert_eq!(reply.body["paymentMethods"], json!(["•••• 4242"]));
    assert!(!reply.body.to_string().contains("tok_visa"));
    leave(&world, ana, &customer(ana));
    let reply = world.ask(Method::GET, &path, Some(&customer(ana)), None);
    assert_eq!(reply.body["account"]["email"], json!({"redacted": true}));
}
