//! Opening an account and changing it.

use backbone::system::Claim;
use contracts::user::{PreferencesChanged, ProfileUpdated, Registered};
use http::{Method, StatusCode};
use kernel::{Personal, UserId};
use serde_json::json;
use uuid::Uuid;

use super::{customer, world};
use crate::HashKey;
use crate::domain::Account;

#[test]
fn who_registers_has_an_account_and_others_hear_of_it() {
    let world = world();
    let reply = world.register("ana@example.org");
    assert_eq!(reply.status, StatusCode::CREATED, "{:?}", reply.body);
    let told = &world.stage.take::<Registered>()[0];
    assert_eq!(reply.body["userId"], told.user_id.to_string());
    assert_eq!(told.email, Personal::Known("ana@example.org".to_owned()));
    assert!(world.stage.get::<Account>(told.user_id).is_some());
}

#[test]
fn one_address_has_one_account_however_it_is_written() {
    let world = world();
    world.ana();
    let reply = world.register("ANA@Example.org");
    assert_eq!((reply.status, reply.code()), (StatusCode::CONFLICT, "email-taken"));
    assert_eq!(world.register("eva@example.org").status, StatusCode::CREATED);
    assert_eq!(world.register("no address").status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[test]
fn the_address_is_claimed_by_a_keyed_hash_and_stands_in_no_id_or_column() {
    let world = world();
    let ana = world.ana();
    let claims = world.stage.all::<Claim>();
    assert_eq!((claims.len(), claims[0].owner.as_str()), (1, ana.to_string().as_str()));
    assert_eq!(claims[0].value.len(), 64);
    assert!(!serde_json::to_string(&claims).unwrap().contains("ana"));
    let (one, other) = (HashKey::new(&[1; 32]), HashKey::new(&[2; 32]));
    assert_ne!(one.email("ana@example.org"), other.email("ana@example.org"));
    assert_eq!(format!("{one:?}"), "HashKey(***)");
}

#[test]
fn the_hash_is_the_published_one() {
    // HMAC-SHA256 of "hi there" (the address is folded to lower case) under 32 bytes 0x0b,
    // computed with Python's hmac module.
    let hash = HashKey::new(&[0x0b; 32]).email(" Hi There ");
    assert_eq!(hash, "481a08ba07a1082e20c2628ba7a86446e03b4828252f0a689e4696ea89761a98");
}

#[test]
fn people_see_their_own_profile_with_its_version() {
    let world = world();
    let ana = world.ana();
    let reply = world.ask(Method::GET, "/api/users/profile", Some(&customer(ana)), None);
    assert_eq!((reply.status, &reply.body["email"]), (StatusCode::OK, &json!("ana@example.org")));
    assert_eq!(reply.headers["etag"], "\"1\"");
    let stranger = UserId(Uuid::from_u128(0x99));
    let reply = world.ask(Method::GET, "/api/users/profile", Some(&customer(stranger)), None);
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
}

#[test]
fn changed_preferences_are_told_once_and_need_the_version_that_was_read() {
    let world = world();
    let ana = world.ana();
    let path = format!("/api/users/{ana}/preferences");
    let wanted = json!({
        "notifications": true, "newsletter": true, "productCategories": ["miel"],
        "deliveryRadiusKm": 30.0, "locale": "en", "quietHours": "22:00-08:00",
    });
    assert_eq!(world.put(&path, &customer(ana), 1, &wanted).status, StatusCode::NO_CONTENT);
    assert_eq!(world.put(&path, &customer(ana), 1, &wanted).status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(world.put(&path, &customer(ana), 2, &wanted).status, StatusCode::NO_CONTENT);
    let told = world.stage.take::<PreferencesChanged>();
    assert_eq!((told.len(), told[0].preferences.newsletter), (1, true));
}

#[test]
fn preferences_that_make_no_sense_are_refused_by_field() {
    let world = world();
    let ana = world.ana();
    let path = format!("/api/users/{ana}/preferences");
    for (field, value) in [
        ("deliveryRadiusKm", json!(-1.0)),
        ("quietHours", json!("late")),
        ("quietHours", json!("22:00-24:00")),
        ("quietHours", json!("22:00-22:00")),
        ("productCategories", json!([""])),
    ] {
        let mut wanted = json!({
            "notifications": true, "newsletter": true, "productCategories": [],
            "deliveryRadiusKm": 30.0, "locale": "en",
        });
        wanted[field] = value;
        let reply = world.put(&path, &customer(ana), 1, &wanted);
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert_eq!(reply.body["errors"][0]["field"], field);
    }
}

#[test]
fn nobody_else_touches_an_account() {
    let world = world();
    let ana = world.ana();
    let stranger = customer(UserId(Uuid::from_u128(0x99)));
    let body = json!({"firstName": "Eva", "lastName": "Gil"});
    for (method, path) in [
        (Method::GET, format!("/api/users/{ana}/export")),
        (Method::GET, format!("/api/users/{ana}/payment-methods")),
        (Method::DELETE, format!("/api/users/{ana}")),
    ] {
        assert_eq!(world.ask(method, &path, Some(&stranger), None).status, StatusCode::FORBIDDEN, "{path}");
    }
    let reply = world.put(&format!("/api/users/{ana}/profile"), &stranger, 1, &body);
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

#[test]
fn a_changed_profile_is_told_with_what_stood_there_before() {
    let world = world();
    let ana = world.ana();
    let body = json!({"firstName": "Ana María", "lastName": "Ruiz Moya"});
    let reply = world.put(&format!("/api/users/{ana}/profile"), &customer(ana), 1, &body);
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{:?}", reply.body);
    let told = &world.stage.take::<ProfileUpdated>()[0];
    assert_eq!(told.changed_fields, ["firstName"]);
    assert_eq!(told.previous_values.known().unwrap()["firstName"], "Ana");
}

#[test]
fn addresses_are_kept_and_forgotten() {
    let world = world();
    let ana = world.ana();
    let path = format!("/api/users/{ana}/addresses");
    let mut address = json!({
        "recipient": "Ana", "line1": "Calle Nueva 3", "city": "Jaén", "province": "Jaén",
        "postalCode": "23001", "country": "ES",
    });
    let body = |address: &serde_json::Value| json!({"label": "casa", "address": address});
    let kept = world.ask(Method::POST, &path, Some(&customer(ana)), Some(&body(&address)));
    assert_eq!(kept.status, StatusCode::CREATED, "{:?}", kept.body);
    let one = format!("{path}/{}", kept.body["addressId"].as_str().unwrap());
    assert_eq!(world.ask(Method::DELETE, &one, Some(&customer(ana)), None).status, StatusCode::NO_CONTENT);
    assert_eq!(world.ask(Method::DELETE, &one, Some(&customer(ana)), None).status, StatusCode::NOT_FOUND);
    address["country"] = json!("Spain");
    let wrong = world.ask(Method::POST, &path, Some(&customer(ana)), Some(&body(&address)));
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
}
