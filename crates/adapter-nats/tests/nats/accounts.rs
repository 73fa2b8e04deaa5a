//! A server that was started with what is printed for operators.

use adapter_nats::{Account, Credentials, Member, Options, accounts};
use backbone::bus::{Bus, Subscription};
use kernel::{Duration, Envelope, Secret};
use testservers::NatsServer;

use crate::broker::{acknowledge, connect, event, events, number, numbers, take};

fn account(service: &str, publishes: &str, consumes: &str) -> Account {
    let member = Member {
        service: service.to_owned(),
        publishes: vec![format!("{publishes}.counted.v1")],
        consumes: vec![consumes.to_owned()],
    };
    Account { name: service.to_owned(), members: vec![member] }
}

fn reads(service: &'static str, context: &'static str) -> Subscription {
    Subscription { consumer: format!("{service}-{context}"), service, context, partition: 0, after: None }
}

fn about_payment(number: u128) -> Envelope {
    Envelope { kind: "payment.counted.v1".into(), source: "payment".into(), ..event(1, number) }
}

#[tokio::test]
async fn an_account_does_the_work_of_its_service_and_is_refused_that_of_others() {
    let members = [account("order", "order", "payment"), account("payment", "payment", "order")];
    // The server reads a variable of its environment; here the word stands in the file.
    let printed = accounts(&members, &Options::default())
        .replace("$NATS_PASSWORD_ORDER", "one")
        .replace("$NATS_PASSWORD_PAYMENT", "two");
    let server = match NatsServer::start_with(&printed) {
        Ok(server) => server,
        Err(missing) => return testservers::skip(&missing),
    };
    let as_user = |name: &str, password: &str| {
        let credentials = Credentials::User { name: name.to_owned(), password: Secret::new(password) };
        let answer_time_max = Duration::from_secs(2);
        Options { servers: vec![server.url()], credentials, answer_time_max, ..Options::default() }
    };
    let order = connect(as_user("order", "one")).await;
    let payment = connect(as_user("payment", "two")).await;
    let mut reader = payment.open(reads("payment", "order")).await.expect("its own consumer");
    order.publish(events(1..=6)).await.expect("its own context");
    let taken = take(&mut *reader, 6).await;
    assert_eq!(numbers(&taken), [1, 2, 3, 4, 5, 6]);
    acknowledge(&mut *reader, &taken).await;
    // Opened again it goes on at its mark, and reads again what it does not get.
    let mut reader = payment.open(reads("payment", "order")).await.expect("its own consumer");
    order.publish(events(7..=8)).await.expect("its own context");
    assert_eq!(numbers(&take(&mut *reader, 2).await), [7, 8]);
    let own = reads("payment", "order");
    assert_eq!(payment.backlog(&own).await.expect("it may look").waiting, 2);
    assert!(payment.given_up(&own, 1).await.expect("it may look").is_empty());
    payment.publish(vec![about_payment(9)]).await.expect("its own context");

    order.publish(vec![about_payment(10)]).await.expect_err("a foreign context");
    let undeclared = Envelope { kind: "order.weighed.v1".into(), ..event(1, 11) };
    order.publish(vec![undeclared]).await.expect_err("a type of its context that it does not declare");
    // It may make sure of a foreign consumer, and gets nothing by it.
    order.declare(&[reads("payment", "order")]).await.expect("it may look");
    if let Ok(mut foreign) = order.open(reads("payment", "order")).await {
        let got = tokio::time::timeout(Duration::from_millis(500), foreign.fetch(1)).await;
        assert!(!matches!(got, Ok(Ok(_))), "{got:?}");
    }
    let mut reader = order.open(reads("order", "payment")).await.expect("its own consumer");
    let taken = take(&mut *reader, 1).await;
    assert_eq!(number(&taken[0].envelope), 9, "and nothing that it published itself");
}
