//! A server that was started with what is printed for operators.

use adapter_rabbitmq::{Account, Member, Options, definitions};
use backbone::bus::{Bus, Subscription};
use kernel::{Envelope, Secret};
use testservers::RabbitServer;

use crate::broker::{acknowledge, connect, event, number, numbers, take, try_open};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_does_the_work_of_its_service_and_is_refused_that_of_others() {
    let accounts = [account("order", "order", "payment"), account("payment", "payment", "order")];
    let consumers = [("order", "payment"), ("payment", "order")];
    let consumers = consumers.map(|(service, context)| (service.to_owned(), context.to_owned()));
    let shared = Options { consumers: consumers.into(), partitions: 2, ..Options::default() };
    let printed = definitions("market", &accounts, &shared);
    let filled =
        printed.replace("${RABBITMQ_PASSWORD_ORDER}", "one").replace("${RABBITMQ_PASSWORD_PAYMENT}", "two");
    let server = match RabbitServer::start_defined(&filled) {
        Ok(server) => server,
        Err(missing) => return testservers::skip(&missing),
    };
    let as_user = |name: &str, password: &str| {
        let address = Secret::new(server.url(name, password, "market"));
        Options { address, ..shared.clone() }
    };
    let order = connect(as_user("order", "one")).await;
    let payment = connect(as_user("payment", "two")).await;
    for partition in 0..2 {
        let own = Subscription { partition, ..reads("payment", "order") };
        payment.declare(&[own]).await.expect("what it finds is what it would make");
    }
    let batch: Vec<Envelope> = (1..=6).map(|n| event(n, n)).collect();
    order.publish(batch).await.expect("its own context");
    let mut seen = Vec::new();
    for partition in 0..2 {
        let own = Subscription { partition, ..reads("payment", "order") };
        let waiting = payment.backlog(&own).await.expect("it may look").waiting;
        let mut reader = try_open(&payment, own.clone()).await.expect("its own queue");
        let taken = take(&mut *reader, waiting as usize).await;
        acknowledge(&mut *reader, &taken).await;
        seen.extend(numbers(&taken));
        assert!(payment.given_up(&own, 1).await.expect("it may look").is_empty());
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4, 5, 6]);
    payment.publish(vec![about_payment(7)]).await.expect("its own context");

    let undeclared = Envelope { kind: "order.weighed.v1".into(), ..event(9, 9) };
    for foreign in [about_payment(8), undeclared] {
        let refused = order.publish(vec![foreign]).await.map_err(|error| error.to_string());
        assert!(refused.as_ref().is_err_and(|said| said.contains("ACCESS_REFUSED")), "{refused:?}");
    }
    let foreign = order.open(reads("payment", "order")).await.map(drop).map_err(|error| error.to_string());
    assert!(foreign.as_ref().is_err_and(|said| said.contains("ACCESS_REFUSED")), "{foreign:?}");
    let partition = backbone::bus::partition_of(&about_payment(7).subject, 2);
    let own = Subscription { partition, ..reads("order", "payment") };
    let mut reader = try_open(&order, own).await.expect("its own");
    let taken = take(&mut *reader, 1).await;
    assert_eq!(number(&taken[0].envelope), 7, "and nothing that it published itself");
}
