//! Stored payment methods, and card numbers that never enter.

use contracts::payment::MethodType;
use http::{Method, StatusCode};
use http_kit::testing::service;
use kernel::UserId;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::{customer, world};
use crate::domain::{METHODS_MAX, StoredMethod, Wallet};

fn method(token: &str, label: &str) -> StoredMethod {
    StoredMethod {
        payment_method_id: format!("pm-{token}"),
        method_type: MethodType::Card,
        gateway_token: token.to_owned(),
        label: label.to_owned(),
    }
}

#[test]
fn payment_reads_the_methods_that_a_person_stored() {
    let world = world();
    let ana = world.ana();
    let path = format!("/api/users/{ana}/payment-methods");
    let body = json!({"methodType": "bizum", "gatewayToken": "tok_bizum_1", "label": "Bizum"});
    let stored = world.ask(Method::POST, &path, Some(&customer(ana)), Some(&body));
    assert_eq!(stored.status, StatusCode::CREATED, "{:?}", stored.body);
    let payment = service("payment", "user");
    let methods = world.ask(Method::GET, &path, Some(&payment), None);
    assert_eq!(methods.body["methods"][0]["gatewayToken"], "tok_bizum_1");
    let profile = world.ask(Method::GET, &format!("/api/users/{ana}/payment-profile"), Some(&payment), None);
    assert_eq!(profile.body["blocked"], false);
    let id = stored.body["paymentMethodId"].as_str().unwrap();
    let gone = world.ask(Method::DELETE, &format!("{path}/{id}"), Some(&customer(ana)), None);
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(world.ask(Method::GET, &path, Some(&payment), None).body["methods"], json!([]));
}

#[test]
fn a_wallet_refuses_cards_repetitions_and_too_many() {
    let wallet = Wallet::empty(UserId(Uuid::from_u128(1)));
    let code = |wallet: &Wallet, method| wallet.with(method).unwrap_err().code;
    assert_eq!(code(&wallet, method("4242424242424242", "Visa")), "card-number-refused");
    assert_eq!(code(&wallet, method("tok_1", "4242 4242 4242 4242")), "card-number-refused");
    let mut wallet = wallet.with(method("tok_1", "Visa")).unwrap();
    assert_eq!(code(&wallet, method("tok_1", "Visa again")), "method-exists");
    for n in 1..METHODS_MAX {
        wallet = wallet.with(method(&format!("tok_{n}_x"), "Visa")).unwrap();
    }
    assert_eq!(code(&wallet, method("tok_last", "Visa")), "too-many-methods");
}

/// The digit that makes `digits` pass the check of card numbers.
fn check_digit(digits: &[u32]) -> u32 {
    let doubled = |(place, digit): (usize, &u32)| {
        let value = digit * if place % 2 == 0 { 2 } else { 1 };
        value / 10 + value % 10
    };
    let sum: u32 = digits.iter().rev().enumerate().map(doubled).sum();
    (10 - sum % 10) % 10
}

proptest! {
    #[test]
    fn no_card_number_is_stored_however_it_is_written(
        first in 2u32..=6,
        rest in prop::collection::vec(0u32..10, 11..18),
        separator in prop::sample::select(vec!["", " ", "-"]),
    ) {
        let mut digits = vec![first];
        digits.extend(rest);
        digits.push(check_digit(&digits));
        let groups: Vec<String> =
            digits.chunks(4).map(|group| group.iter().map(u32::to_string).collect()).collect();
        let wallet = Wallet::empty(UserId(Uuid::from_u128(1)));
        prop_assert!(wallet.with(method(&groups.join(separator), "Visa")).is_err());
    }
}
