//! A server, a bus on it, sample events, and how deliveries are gathered.

use std::collections::BTreeMap;

use adapter_rabbitmq::{Options, RabbitBus};
use backbone::bus::{Bus, Consumer, Delivery, Error, Subscription};
use bytes::Bytes;
use futures::StreamExt;
use kernel::{Duration, Envelope, Secret, Timestamp};
use testservers::RabbitServer;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// What the tests call a queue.
pub(crate) const QUEUE: &str = "inventory.order.queue";
/// And its dead letters.
pub(crate) const DEAD: &str = "inventory.order.dlq";

/// A server with virtual hosts, or a loud word that there is none.
pub(crate) fn server(hosts: usize) -> Option<RabbitServer> {
    match RabbitServer::start(hosts) {
        Ok(server) => Some(server),
        Err(missing) => {
            testservers::skip(&missing);
            None
        }
    }
}

pub(crate) fn options(host: &str) -> Options {
    let consumers = [("inventory", "order"), ("order", "shipping")];
    let consumers = consumers.map(|(service, context)| (service.to_owned(), context.to_owned()));
    Options { address: Secret::new(host.to_owned()), consumers: consumers.into(), ..Options::default() }
}

pub(crate) async fn connect(options: Options) -> RabbitBus {
    RabbitBus::connect(options).await.expect("the server is there")
}

pub(crate) async fn bus(host: &str) -> RabbitBus {
    connect(options(host)).await
}

/// The server as somebody else sees it.
pub(crate) async fn other_client(host: &str) -> lapin::Channel {
    let connection = lapin::Connection::connect(host, lapin::ConnectionProperties::default()).await;
    let connection = connection.expect("the server is there");
    connection.create_channel().await.expect("the server is there")
}

/// The next message of a queue, as somebody else gets it; it stays open.
pub(crate) async fn next_of(messages: &mut lapin::Consumer) -> lapin::message::Delivery {
    let next = timeout(PATIENCE, messages.next()).await.expect("there is a message");
    next.expect("it goes on").expect("the server is there")
}

/// Another client's subscription to a queue.
pub(crate) async fn messages_of(other: &lapin::Channel, queue: &str) -> lapin::Consumer {
    let options = lapin::options::BasicConsumeOptions::default();
    let table = lapin::types::FieldTable::default();
    other.basic_consume(queue.into(), "other".into(), options, table).await.expect("the queue is there")
}

pub(crate) fn event(subject: u128, number: u128) -> Envelope {
    Envelope {
        id: Uuid::from_u128((0x0190_0000_0000_7000_8000_u128 << 48) | number).into(),
        source: "order".into(),
        kind: "order.counted.v1".into(),
        subject: Uuid::from_u128(subject).to_string(),
        time: Timestamp::from_micros(1_767_607_200_123_456),
        correlation_id: "flow".into(),
        causation_id: "cause".into(),
        sequence: 1000,
        traceparent: None,
        key_id: None,
        data: Bytes::from(format!("{{\"n\":{number}}}")),
    }
}

pub(crate) fn events(numbers: std::ops::RangeInclusive<u128>) -> Vec<Envelope> {
    numbers.map(|number| event(1, number)).collect()
}

pub(crate) fn subscription(partition: u32) -> Subscription {
    let consumer = "inventory-order".to_owned();
    Subscription { consumer, service: "inventory", context: "order", partition, after: None }
}

/// Opens a consumer; a new one has caught up with nothing.
pub(crate) async fn try_open(
    bus: &RabbitBus,
    subscription: Subscription,
) -> Result<Box<dyn Consumer>, Error> {
    match bus.open(subscription.clone()).await {
        Err(Error::Gap { to, .. }) => bus.open(Subscription { after: Some(to), ..subscription }).await,
        opened => opened,
    }
}

pub(crate) async fn open(bus: &RabbitBus) -> Box<dyn Consumer> {
    try_open(bus, subscription(0)).await.expect("the consumer opens")
}

/// Opens as soon as the broker lets it.
pub(crate) async fn open_in_the_end(bus: &RabbitBus) -> Box<dyn Consumer> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match try_open(bus, subscription(0)).await {
            Ok(consumer) => return consumer,
            Err(error) => assert!(Instant::now() < give_up, "{error}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Publishes, again and again with the same ids, until the broker has said that it has all.
pub(crate) async fn publish_in_the_end(bus: &RabbitBus, events: &[Envelope]) -> u32 {
    let give_up = Instant::now() + PATIENCE;
    let mut failures = 0;
    while let Err(error) = bus.publish(events.to_vec()).await {
        failures += 1;
        assert!(Instant::now() < give_up, "{error}");
        sleep(Duration::from_millis(50)).await;
    }
    failures
}

/// Exactly `count` deliveries, unacknowledged.
pub(crate) async fn take(consumer: &mut dyn Consumer, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let fetched = timeout(PATIENCE, consumer.fetch(count - taken.len())).await;
        let fetched =
            fetched.unwrap_or_else(|_| panic!("{} of {count} came: {:?}", taken.len(), numbers(&taken)));
        taken.extend(fetched.expect("the broker is there"));
    }
    taken
}

/// Nothing comes for a while.
pub(crate) async fn nothing_comes(consumer: &mut dyn Consumer, during: Duration) {
    if let Ok(fetched) = timeout(during, consumer.fetch(10)).await {
        panic!("{:?} came", fetched.map(|deliveries| numbers(&deliveries)));
    }
}

pub(crate) async fn acknowledge(consumer: &mut dyn Consumer, deliveries: &[Delivery]) {
    let positions: Vec<u64> = deliveries.iter().map(|delivery| delivery.position).collect();
    consumer.acknowledge(&positions).await.expect("the broker is there");
}

/// What waits is `waiting` before long.
pub(crate) async fn backlog_becomes(bus: &RabbitBus, waiting: u64) {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let found = bus.backlog(&subscription(0)).await.expect("the broker is there").waiting;
        if found == waiting {
            return;
        }
        assert!(Instant::now() < give_up, "{found} wait, not {waiting}");
        sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn numbers(deliveries: &[Delivery]) -> Vec<u128> {
    deliveries.iter().map(|delivery| number(&delivery.envelope)).collect()
}

pub(crate) fn number(envelope: &Envelope) -> u128 {
    envelope.id.0.as_u128() & 0xFFFF_FFFF
}

/// What a consumer with an inbox takes in: each event once, by subject, in the order in which it
/// came first.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) taken: BTreeMap<String, Vec<u128>>,
    pub(crate) repeated: usize,
}

impl Inbox {
    pub(crate) fn take(&mut self, deliveries: &[Delivery]) {
        for Delivery { envelope, .. } in deliveries {
            let of_subject = self.taken.entry(envelope.subject.clone()).or_default();
            match of_subject.contains(&number(envelope)) {
                true => self.repeated += 1,
                false => of_subject.push(number(envelope)),
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.taken.values().map(Vec::len).sum()
    }

    /// Each subject's events came in the order of their numbers.
    pub(crate) fn is_in_order(&self) -> bool {
        self.taken.values().all(|numbers| numbers.is_sorted())
    }
}

pub(crate) fn reason(error: &Error) -> String {
    error.to_string()
}
