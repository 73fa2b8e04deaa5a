//! The routes, asked as the gate would pass requests on.

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Body;
use backbone::calls::{CallError, CallReply};
use backbone::projection::View;
use backbone::route::{Caller, Role};
use backbone::work::Origin;
use bytes::Bytes;
use contracts::calls::{PaymentValidated, ValidatePayment};
use contracts::payment::{MethodValidated, RefundProcessed, Requested, Succeeded};
use futures::executor::block_on;
use http::{Request, StatusCode};
use http_kit::CallerIs;
use kernel::{Money, Timestamp};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use super::bank::{Act, asks};
use super::samples::*;
use crate::bookkeeping;
use crate::domain::Payment;
use crate::views::{CheckedMethod, Status};

const ADMIN: Caller = Caller::Person { id: Uuid::from_u128(0xAD), role: Role::Admin };
const BUYER: Caller = Caller::Person { id: CUSTOMER.0, role: Role::Customer };
const STRANGER: Caller = Caller::Person { id: Uuid::from_u128(0x5), role: Role::Customer };

fn order_service() -> Caller {
    Caller::Service("order".to_owned())
}

struct Given<'a> {
    caller: Caller,
    headers: &'a [(&'a str, &'a str)],
}

fn by(caller: Caller) -> Given<'static> {
    Given { caller, headers: &[] }
}

impl Market {
    /// Sends a request to the module's routes; gives status and body.
    fn send(&self, given: Given<'_>, line: &str, body: &str) -> (StatusCode, Value) {
        let gateway: std::sync::Arc<dyn crate::Gateway> = std::sync::Arc::new(self.bank.clone());
        let module = crate::module(&self.stage.context(), config(), vec![gateway]);
        let routes = module.routes.into_iter();
        let router = routes.fold(Router::new(), |router, route| router.route(route.path, route.handler));
        let (method, path) = line.split_once(' ').unwrap();
        let mut request =
            Request::builder().method(method).uri(path).header("content-type", "application/json");
        for (name, value) in given.headers {
            request = request.header(*name, *value);
        }
        let origin = Origin { correlation_id: "test".into(), causation_id: "test".into(), traceparent: None };
        let request = request.extension(CallerIs(given.caller)).extension(http_kit::Origin(origin));
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = block_on(router.oneshot(request)).unwrap();
        let status = response.status();
        let bytes = block_on(axum::body::to_bytes(response.into_body(), 1 << 20)).unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

fn validate(method: &str, amount: i64) -> String {
    let request = ValidatePayment {
        order_id: ORDER,
        customer_id: CUSTOMER,
        payment_method_id: method.to_owned(),
        amount: Money::eur(amount),
    };
    serde_json::to_string(&request).unwrap()
}

/// The user service knows one stored method; the profile as given, or no such user.
fn with_user(market: &Market, profile: Option<Value>) {
    market.stage.answer_calls(move |request| {
        assert_eq!(request.spec.to, "user");
        let path = &request.path_and_query;
        let method = json!({
            "paymentMethodId": "my-card", "methodType": "card", "gatewayToken": "bank-3ds", "label": "•••• 4242",
        });
        let body = match (&profile, path.ends_with("payment-profile")) {
            (None, _) => None,
            (Some(profile), true) => Some(profile.clone()),
            (Some(_), false) => Some(json!({ "methods": [method] })),
        };
        Ok(CallReply {
            status: if body.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND },
            body: Bytes::from(body.unwrap_or_default().to_string()),
        })
    });
}

fn profile(blocked: bool, limit: Option<i64>) -> Option<Value> {
    let limit = limit.map(|amount| json!({ "amount": amount, "currency": "EUR" }));
    Some(json!({ "userId": CUSTOMER, "blocked": blocked, "orderLimit": limit }))
}

#[test]
fn validating_says_whether_a_method_can_pay_and_publishes_it() {
    let table = [
        ("bank-card", profile(false, None), None, false),
        ("bank-card", None, None, false),
        ("my-card", profile(false, Some(TOTAL)), None, true),
        ("my-card", profile(false, Some(TOTAL - 1)), Some("limit"), true),
        ("my-card", profile(true, None), Some("stopped"), true),
        ("my-card", None, Some("unknown"), false),
        ("nobody-s", profile(false, None), Some("unknown"), false),
    ];
    for (method, profile, objection, three_ds) in table {
        let market = Market::with_order();
        with_user(&market, profile);
        let body = validate(method, TOTAL);
        let (status, answer) = market.send(by(order_service()), "POST /api/payments/validate", &body);
        assert_eq!(status, StatusCode::OK, "{answer}");
        let answer: PaymentValidated = serde_json::from_value(answer).unwrap();
        assert_eq!(answer.is_valid, objection.is_none(), "{method}");
        assert!(answer.reason.unwrap_or_default().contains(objection.unwrap_or_default()));
        assert_eq!(answer.requires_three_ds, three_ds);
        assert_eq!(answer.charge_limit_seconds, if three_ds { 660 } else { 60 });
        let told = market.stage.take::<MethodValidated>().remove(0);
        assert_eq!((told.is_valid, told.requires_3ds), (answer.is_valid, Some(three_ds)));
    }
}

#[test]
fn order_is_told_to_wait_longer_than_a_transfer_is_waited_for() {
    let market = Market::with_order();
    with_user(&market, profile(false, None));
    let (_, answer) =
        market.send(by(order_service()), "POST /api/payments/validate", &validate("transfer", TOTAL));
    let answer: PaymentValidated = serde_json::from_value(answer).unwrap();
    assert!(u64::from(answer.charge_limit_seconds) > config().transfer_limit.as_secs());
}

#[test]
fn a_stored_method_that_was_validated_can_be_charged_and_goes_with_its_person() {
    let market = Market::with_order();
    with_user(&market, profile(false, None));
    market.send(by(order_service()), "POST /api/payments/validate", &validate("my-card", TOTAL));
    market.stage.receive(&Requested { payment_method_id: "my-card".to_owned(), ..requested(1) }).unwrap();
    market.settle();
    assert_eq!(market.stage.take::<Succeeded>().len(), 1);
    assert_eq!(market.stage.all::<CheckedMethod>().len(), 1);
    let erased_at = market.stage.now();
    market.stage.receive(&contracts::user::Erased { user_id: CUSTOMER.into(), erased_at }).unwrap();
    assert!(market.stage.all::<CheckedMethod>().is_empty());
}

#[test]
fn a_card_number_is_refused_before_anything_is_published_or_asked() {
    let market = Market::with_order();
    let body = validate("4111111111111111", TOTAL);
    let (status, problem) = market.send(by(order_service()), "POST /api/payments/validate", &body);
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!problem.to_string().contains("4111111111111111"));
    assert!(market.stage.published().is_empty());
}

#[test]
fn an_order_that_is_off_validates_nothing_and_a_user_service_that_is_away_is_said() {
    let market = Market::with_order();
    let line = "POST /api/payments/validate";
    let (status, _) = market.send(by(order_service()), line, &validate("bank-card", TOTAL));
    assert!(status.is_server_error());
    with_user(&market, None);
    market.stage.receive(&cancelled()).unwrap();
    let (_, answer) = market.send(by(order_service()), line, &validate("bank-card", TOTAL));
    assert_eq!(answer["isValid"], false);
    market
        .stage
        .answer_calls(|request| Err(CallError::Unknown { to: request.spec.to, reason: "slow".to_owned() }));
    let (status, _) = market.send(by(order_service()), line, &validate("bank-card", TOTAL));
    assert!(status.is_server_error());
}

#[test]
fn a_payment_is_seen_by_its_payer_and_operators_and_shows_no_token() {
    let market = Market::paid();
    let line = format!("GET /api/payments/{PAYMENT}");
    for (caller, expected) in
        [(BUYER, StatusCode::OK), (ADMIN, StatusCode::OK), (STRANGER, StatusCode::NOT_FOUND)]
    {
        assert_eq!(market.send(by(caller), &line, "").0, expected);
    }
    let (_, sheet) = market.send(by(BUYER), &line, "");
    assert_eq!((&sheet["status"], &sheet["transactionId"]), (&json!("succeeded"), &json!("bank-1")));
    assert!(sheet.get("token").is_none() && sheet.get("key").is_none());
    let line = format!("GET /api/payments?orderId={ORDER}");
    assert_eq!(market.send(by(BUYER), &line, "").1.as_array().unwrap().len(), 1);
    assert_eq!(market.send(by(STRANGER), &line, "").1, json!([]));
}

#[test]
fn an_operators_refund_is_made_once_per_idempotency_key() {
    let market = Market::paid();
    let line = format!("POST /api/payments/{PAYMENT}/refunds");
    let body = json!({ "amount": Money::eur(1_000), "reason": "goodwill" }).to_string();
    assert_eq!(market.send(by(ADMIN), &line, &body).0, StatusCode::BAD_REQUEST, "the key is missing");
    let keyed = || Given { caller: ADMIN, headers: &[("idempotency-key", "k-1")] };
    let (status, first) = market.send(keyed(), &line, &body);
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(market.send(keyed(), &line, &body).1, first);
    market.settle();
    assert_eq!(market.stage.take::<RefundProcessed>().len(), 1);
    assert_eq!(market.bank.refunded(), 1_000);
    let other = Given { caller: ADMIN, headers: &[("idempotency-key", "k-2")] };
    let body = json!({ "amount": Money::eur(TOTAL), "reason": "goodwill" }).to_string();
    let (status, problem) = market.send(other, &line, &body);
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("refund-exceeds-payment")));
}

#[test]
fn three_ds_is_answered_by_the_payer_or_whoever_knows_the_questions_token() {
    let table = [
        (BUYER, json!({ "answer": "approve" }), StatusCode::ACCEPTED),
        (Caller::Anonymous, json!({ "answer": "approve", "token": "question-1" }), StatusCode::ACCEPTED),
        (Caller::Anonymous, json!({ "answer": "approve", "token": "question-2" }), StatusCode::NOT_FOUND),
        (Caller::Anonymous, json!({ "answer": "approve" }), StatusCode::NOT_FOUND),
        (STRANGER, json!({ "answer": "approve" }), StatusCode::NOT_FOUND),
    ];
    for (caller, body, expected) in table {
        let market = Market::with_order();
        market.bank.will([Act::Says(asks())]);
        market.stage.receive(&requested(1)).unwrap();
        market.settle();
        let line = format!("POST /api/payments/{PAYMENT}/3ds");
        assert_eq!(market.send(by(caller), &line, &body.to_string()).0, expected);
        market.settle();
        let paid = market.payment(PAYMENT).status == Status::Succeeded;
        assert_eq!(paid, expected == StatusCode::ACCEPTED);
    }
}

#[test]
fn an_operator_confirms_a_transfer() {
    let market = Market::with_order();
    market.stage.receive(&Requested { payment_method_id: "transfer".to_owned(), ..requested(1) }).unwrap();
    market.settle();
    let line = format!("POST /api/payments/{PAYMENT}/confirm-transfer");
    let (status, sheet) = market.send(by(ADMIN), &line, r#"{"reference":"ES-1"}"#);
    assert_eq!((status, &sheet["status"]), (StatusCode::ACCEPTED, &json!("succeeded")));
    assert_eq!(market.send(by(ADMIN), &line, r#"{"reference":"ES-1"}"#).0, StatusCode::CONFLICT);
}

#[test]
fn full_invoices_are_made_for_the_payer() {
    let market = Market::paid();
    let line = format!("POST /api/payments/{PAYMENT}/invoices");
    let body = json!({ "name": "Ana", "taxId": "00000000T", "address": "Calle Mayor 1" }).to_string();
    assert_eq!(market.send(by(STRANGER), &line, &body).0, StatusCode::NOT_FOUND);
    let (status, made) = market.send(by(BUYER), &line, &body);
    assert_eq!((status, made["numbers"].as_array().unwrap().len()), (StatusCode::CREATED, 3));
    let (_, invoices) = market.send(by(BUYER), &format!("GET /api/payments/{PAYMENT}/invoices"), "");
    assert_eq!(invoices.as_array().unwrap().len(), 6);
}

fn signed(key: &[u8], body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_webhook_needs_its_signature_and_is_taken_in_once() {
    let market = Market::with_order();
    market.bank.will([Act::Says(asks())]);
    market.stage.receive(&requested(1)).unwrap();
    market.settle();
    let body =
        json!({ "id": "hint-1", "key": format!("{ORDER}/charge/1"), "outcome": "charged" }).to_string();
    let line = "POST /api/payments/webhooks/bank";
    for wrong in [signed(b"other", &body), signed(b"agreed", "other"), "zz".to_owned(), String::new()] {
        let given = Given { caller: Caller::Anonymous, headers: &[("x-signature", &wrong)] };
        assert_eq!(market.send(given, line, &body).0, StatusCode::UNAUTHORIZED);
    }
    let signature = signed(b"agreed", &body);
    for _ in 0..2 {
        let given = Given { caller: Caller::Anonymous, headers: &[("x-signature", &signature)] };
        assert_eq!(market.send(given, line, &body).0, StatusCode::NO_CONTENT);
        market.settle();
    }
    assert_eq!(market.bank.asked(), 1);
    assert_eq!(market.payment(PAYMENT).status, Status::AwaitingCustomer, "the hint's word counts nothing");
    let given = Given { caller: Caller::Anonymous, headers: &[("x-signature", &signature)] };
    assert_eq!(market.send(given, "POST /api/payments/webhooks/nobody", &body).0, StatusCode::UNAUTHORIZED);
}

/// RFC 4231, test case 2.
#[test]
fn the_signature_is_hmac_sha256_as_published() {
    let signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(signed(b"Jefe", "what do ya want for nothing?"), signature);
}

#[test]
fn a_ledger_is_shown_to_its_recipient_page_by_page() {
    let market = Market::paid();
    market.stage.receive(&refund_requested(1, 1_000)).unwrap();
    market.settle();
    let past = block_on(market.stage.context().history::<Payment>(PAYMENT, 0, 100)).unwrap();
    for past in past {
        let at = past.stored.at.max(Timestamp::from_micros(1));
        market
            .stage
            .run(|ws| bookkeeping::fold(&PAYMENT.to_string(), &past.event, at, &mut View(ws)))
            .unwrap();
    }
    let potter = Caller::Person { id: POTTER.0, role: Role::Artisan };
    let line = format!("GET /api/payments/ledger/{POTTER}?limit=1");
    let (status, first) = market.send(by(potter.clone()), &line, "");
    assert_eq!(status, StatusCode::OK);
    assert_eq!(first["entries"].as_array().unwrap().len(), 1);
    let next = first["next"].as_str().unwrap();
    let (_, second) = market.send(by(potter), &format!("{line}&cursor={next}"), "");
    assert_eq!(second["entries"].as_array().unwrap().len(), 1);
    assert!(second.get("next").is_none());
    let (debit, credit) = (&first["entries"][0]["debit"], &second["entries"][0]["credit"]);
    let pending = first["balances"][0]["pending"]["amount"].as_i64().unwrap();
    assert_eq!(credit.as_i64().unwrap() - debit.as_i64().unwrap(), pending);
    let miller = Caller::Person { id: MILLER.0, role: Role::Artisan };
    assert_eq!(market.send(by(miller), &line, "").0, StatusCode::FORBIDDEN);
}
