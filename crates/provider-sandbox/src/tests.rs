//! What the test methods promise, and that nothing is forgotten.

use std::sync::Arc;

use backbone::testing::Stage;
use futures::executor::block_on;
use kernel::{Money, OrderId, PaymentId};
use service_payment::ports::{Answer, Charge, Gateway, GatewayError, Refund};
use uuid::Uuid;

use crate::{FileMemory, InMemory, Memory, Operation, Sandbox, Standing, records};

fn sandbox(memory: &InMemory) -> Sandbox {
    let clock = Stage::new("payment").context().environment.clock;
    Sandbox::new(clock, Arc::new(memory.clone()))
}

fn charge(token: &str) -> Charge {
    Charge {
        token: token.to_owned(),
        amount: Money::eur(1_250),
        payment_id: PaymentId(Uuid::from_u128(1)),
        order_id: OrderId(Uuid::from_u128(2)),
    }
}

fn refund(charge_key: &str) -> Refund {
    Refund { charge_key: charge_key.to_owned(), transaction: String::new(), amount: Money::eur(1_250) }
}

/// `charged`, `refunded`, or the code of a decline with `!` where it is retryable.
fn word(answer: Result<Answer, GatewayError>) -> String {
    match answer {
        Ok(Answer::Declined { code, retryable, .. }) => format!("{code}{}", if retryable { "!" } else { "" }),
        Ok(Answer::Charged { .. }) => "charged".to_owned(),
        Ok(Answer::Refunded { .. }) => "refunded".to_owned(),
        Ok(Answer::ActionRequired { .. }) => "asks".to_owned(),
        Ok(Answer::Voided) => "voided".to_owned(),
        Ok(Answer::Pending) => "pending".to_owned(),
        Err(GatewayError::Unknown(_)) => "unknown".to_owned(),
        Err(GatewayError::Unreachable(_)) => "unreachable".to_owned(),
    }
}

#[test]
fn each_test_method_does_what_its_line_says() {
    let table: &[(&str, &[&str])] = &[
        ("sandbox-card-ok", &["charged"]),
        ("sandbox-card-declined", &["insufficient-funds"]),
        ("sandbox-card-retry-1", &["processor-busy!", "charged"]),
        ("sandbox-card-retry-2", &["processor-busy!", "processor-busy!", "charged"]),
        (
            "sandbox-card-broken",
            &["processor-busy!", "processor-busy!", "processor-busy!", "processor-busy!"],
        ),
        ("sandbox-card-3ds", &["asks"]),
        ("sandbox-card-slow", &["charged"]),
        ("sandbox-card-timeout", &["unknown"]),
        ("sandbox-card-lost", &["unknown", "unknown"]),
        ("sandbox-bizum-600000001", &["charged"]),
        ("sandbox-bizum-600000002", &["declined-by-holder"]),
        ("sandbox-card-none", &["unknown-method"]),
    ];
    for (token, answers) in table {
        let sandbox = sandbox(&InMemory::default());
        for (attempt, expected) in answers.iter().enumerate() {
            let key = format!("order/charge/{attempt}");
            assert_eq!(word(block_on(sandbox.charge(&key, &charge(token)))), *expected, "{token} {attempt}");
        }
        assert_eq!(sandbox.recognise(token).is_some(), *token != "sandbox-card-none");
    }
}

#[test]
fn a_key_charges_once_and_gives_its_first_answer_after_a_crash() {
    let memory = InMemory::default();
    let first = block_on(sandbox(&memory).charge("k", &charge("sandbox-card-ok"))).unwrap();
    let reopened = sandbox(&memory);
    assert_eq!(block_on(reopened.charge("k", &charge("sandbox-card-ok"))), Ok(first.clone()));
    assert_eq!(block_on(reopened.ask("k")), Ok(Some(first)));
    assert_eq!(memory.load().unwrap().len(), 1);
}

#[test]
fn a_charge_without_an_answer_is_known_to_whoever_asks_and_a_lost_one_is_not() {
    let sandbox = sandbox(&InMemory::default());
    assert_eq!(word(block_on(sandbox.charge("timeout", &charge("sandbox-card-timeout")))), "unknown");
    assert_eq!(word(block_on(sandbox.ask("timeout")).map(Option::unwrap)), "charged");
    assert_eq!(word(block_on(sandbox.charge("lost", &charge("sandbox-card-lost")))), "unknown");
    assert_eq!(block_on(sandbox.ask("lost")), Ok(None));
}

#[test]
fn a_voided_key_is_never_charged_afterwards() {
    let sandbox = sandbox(&InMemory::default());
    assert_eq!(word(block_on(sandbox.void("k"))), "voided");
    assert_eq!(word(block_on(sandbox.charge("k", &charge("sandbox-card-ok")))), "voided");
    assert_eq!(word(block_on(sandbox.charge("taken", &charge("sandbox-card-ok")))), "charged");
    assert_eq!(word(block_on(sandbox.void("taken"))), "charged");
}

#[test]
fn three_ds_ends_with_the_customers_answer_once() {
    for (given, expected) in [("approve", "charged"), ("deny", "three-ds-failed")] {
        let sandbox = sandbox(&InMemory::default());
        block_on(sandbox.charge("k", &charge("sandbox-card-3ds"))).unwrap();
        assert_eq!(word(block_on(sandbox.complete_three_ds("k", given))), expected);
        assert_eq!(word(block_on(sandbox.complete_three_ds("k", "other"))), expected);
        assert_eq!(word(block_on(sandbox.void("k"))), expected);
    }
}

#[test]
fn refunds_fail_as_often_as_their_method_says() {
    let table: &[(&str, &[&str])] = &[
        ("sandbox-card-ok", &["refunded", "refunded"]),
        ("sandbox-refund-fails-2", &["refund-failed!", "refund-failed!", "refunded"]),
        ("sandbox-refund-fails", &["refund-failed!", "refund-failed!", "refund-failed!"]),
        ("sandbox-refund-refused", &["refund-refused"]),
        ("sandbox-card-declined", &["unknown-charge"]),
    ];
    for (token, answers) in table {
        let sandbox = sandbox(&InMemory::default());
        block_on(sandbox.charge("k", &charge(token))).unwrap();
        for (attempt, expected) in answers.iter().enumerate() {
            let key = format!("refund/{attempt}");
            assert_eq!(word(block_on(sandbox.refund(&key, &refund("k")))), *expected, "{token} {attempt}");
            assert_eq!(word(block_on(sandbox.refund(&key, &refund("k")))), *expected, "{token} again");
        }
    }
}

struct Tasks;

impl backbone::environment::Spawner for Tasks {
    fn spawn(&self, _: &'static str, task: futures::future::BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }
}

#[tokio::test]
async fn replicas_that_share_a_file_charge_a_key_once() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Stage::new("payment").context().environment.clock;
    let replica = || {
        let memory = FileMemory::open(&folder.path().join("sandbox.jsonl"), Arc::new(Tasks)).unwrap();
        Sandbox::new(clock.clone(), Arc::new(memory))
    };
    let (one, other) = (replica(), replica());
    let request = charge("sandbox-card-ok");
    let keys: Vec<String> = (0..20).map(|n| format!("order-{n}/charge/1")).collect();
    let charges = keys.iter().flat_map(|key| [one.charge(key, &request), other.charge(key, &request)]);
    for answer in futures::future::join_all(charges).await {
        assert_eq!(word(answer), "charged");
    }
    assert_eq!(records(&folder.path().join("sandbox.jsonl")).unwrap().len(), keys.len());
    assert_eq!(word(other.void("called off").await), "voided");
    assert_eq!(word(one.charge("called off", &request).await), "voided");
    assert_eq!(one.ask("called off").await, Ok(Some(Answer::Voided)));
}

#[tokio::test]
async fn a_file_remembers_what_it_accepted_and_forgets_a_torn_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.jsonl");
    let clock = Stage::new("payment").context().environment.clock;
    {
        let memory = Arc::new(FileMemory::open(&path, Arc::new(Tasks)).unwrap());
        let sandbox = Sandbox::new(clock.clone(), memory);
        let keys: Vec<String> = (0..20).map(|n| format!("order-{n}/charge/1")).collect();
        let request = charge("sandbox-card-ok");
        let charges = keys.iter().map(|key| sandbox.charge(key, &request));
        for answer in futures::future::join_all(charges).await {
            assert_eq!(word(answer), "charged");
        }
    }
    let mut text = std::fs::read(&path).unwrap();
    text.extend_from_slice(b"{\"key\":\"torn");
    std::fs::write(&path, text).unwrap();
    let memory = FileMemory::open(&path, Arc::new(Tasks)).unwrap();
    let kept = memory.load().unwrap();
    assert_eq!(kept.len(), 20);
    assert!(kept.iter().all(|r| r.operation == Operation::Charge && r.standing == Standing::Done));
    let sandbox = Sandbox::new(clock, Arc::new(memory));
    assert_eq!(word(sandbox.charge("order-3/charge/1", &charge("sandbox-card-broken")).await), "charged");
    assert_eq!(records(&path).unwrap(), kept);
}
