//! Exchanges, queues and bindings (communication.md): their names, and how they are made.
//!
//! Per context a topic exchange `<context>.events` without an alternate one, which would swallow
//! the return of an unroutable message. Per (service, context) a quorum queue
//! `<service>.<context>.queue`, and `<service>.<context>.dlq`, which the broker fills through the
//! direct exchange `<service>.dlx`: through the default one it could only where the service may
//! publish to every queue.
//!
//! With partitions, a routing key ends in the subject's: `order.created.v1.p2`, and each partition
//! has a queue of its own, `<service>.<context>.queue.p2`, bound to `<context>.#.p2`. Who publishes
//! with another client names the partition by the same hash (reliability.md, rule 18).

use backbone::bus::{Error, Subscription, partition_of};
use kernel::{Duration, Envelope};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};
use tokio::sync::Mutex;

use crate::error::{StartError, is_not_found, unavailable, within};
use crate::headers::text;
use crate::options::{Options, is_word};
use crate::wire::Wire;

/// What was attempted, where opening fails.
pub(crate) const OPENING: &str = "opening a consumer";
const DECLARING: &str = "declaring the topology";
const LOOKING: &str = "looking at what waits";

/// The exchange of a context.
pub(crate) fn exchange_of(context: &str) -> String {
    format!("{context}.events")
}

/// The exchange that leads a service's dead letters to their queues.
pub(crate) fn dead_exchange_of(service: &str) -> String {
    format!("{service}.dlx")
}

/// What an event is published under.
pub(crate) fn routing_key(event: &Envelope, partitions: u32) -> String {
    match partitions {
        1 => event.kind.clone(),
        _ => format!("{}.p{}", event.kind, partition_of(&event.subject, partitions)),
    }
}

/// Where a consumer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) context: String,
    pub(crate) exchange: String,
    /// `<context>.#`, or `<context>.#.p<k>`.
    pub(crate) binding: String,
    pub(crate) queue: String,
    pub(crate) dead_exchange: String,
    /// The dead letters' queue, which is its key in their exchange as well.
    pub(crate) dead_queue: String,
    pub(crate) partition: u32,
    pub(crate) partitions: u32,
}

impl Place {
    /// The place of a service, which reads a context.
    pub(crate) fn new(service: &str, context: &str, partition: u32, partitions: u32) -> Self {
        let (binding, queue) = (format!("{context}.#"), format!("{service}.{context}.queue"));
        let (binding, queue) = match partitions {
            1 => (binding, queue),
            _ => (format!("{binding}.p{partition}"), format!("{queue}.p{partition}")),
        };
        Self {
            context: context.to_owned(),
            exchange: exchange_of(context),
            binding,
            queue,
            dead_exchange: dead_exchange_of(service),
            dead_queue: format!("{service}.{context}.dlq"),
            partition,
            partitions,
        }
    }

    /// The place of a consumer: `inventory-order` is that of inventory in order's events.
    pub(crate) fn of(options: &Options, subscription: &Subscription) -> Result<Self, Error> {
        let Subscription { consumer, context, partition, .. } = subscription;
        let partitions = options.partitions;
        if *partition >= partitions {
            let reason = format!("{consumer}: partition {partition} of {partitions} is none");
            return Err(unavailable(OPENING, reason));
        }
        let reader = consumer.strip_suffix(context).and_then(|start| start.strip_suffix('-'));
        let reader = reader.unwrap_or(consumer);
        if !is_word(reader) || !is_word(context) {
            return Err(unavailable(OPENING, format!("{consumer:?} is no name for a consumer")));
        }
        Ok(Self::new(reader, context, *partition, partitions))
    }

    /// All places of a deployment.
    pub(crate) fn all(options: &Options) -> Vec<Self> {
        let partitions = options.partitions;
        let of = |(service, context): &(String, String)| {
            (0..partitions).map(|p| Self::new(service, context, p, partitions)).collect::<Vec<_>>()
        };
        options.consumers.iter().flat_map(of).collect()
    }

    /// What the queue is made with. One reader at a time has the messages, and nothing is lost on
    /// the way to the dead letters.
    pub(crate) fn arguments(&self, deliveries_max: u16) -> Vec<(&'static str, Argument)> {
        vec![
            ("x-queue-type", Argument::Text("quorum".to_owned())),
            ("x-single-active-consumer", Argument::Flag(true)),
            ("x-delivery-limit", Argument::Number(i64::from(deliveries_max))),
            ("x-dead-letter-exchange", Argument::Text(self.dead_exchange.clone())),
            ("x-dead-letter-routing-key", Argument::Text(self.dead_queue.clone())),
            ("x-dead-letter-strategy", Argument::Text("at-least-once".to_owned())),
            // That strategy wants it; without a largest length it refuses nothing.
            ("x-overflow", Argument::Text("reject-publish".to_owned())),
        ]
    }
}

/// What the dead letters' queue is made with. Each look at it counts as a delivery, and servers from 4.0
/// on have a limit of their own where none is said: a letter must outlast any number of looks.
pub(crate) fn dead_arguments() -> Vec<(&'static str, Argument)> {
    vec![
        ("x-queue-type", Argument::Text("quorum".to_owned())),
        ("x-delivery-limit", Argument::Number(DEAD_LOOKS_MAX)),
    ]
}

/// A look each half minute, for a thousand years.
const DEAD_LOOKS_MAX: i64 = 1_000_000_000;

/// A setting of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    Text(String),
    Number(i64),
    Flag(bool),
}

fn table(arguments: Vec<(&'static str, Argument)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, argument) in arguments {
        let value = match argument {
            Argument::Text(value) => text(&value),
            Argument::Number(value) => AMQPValue::LongLongInt(value),
            Argument::Flag(value) => AMQPValue::Boolean(value),
        };
        table.insert(name.into(), value);
    }
    table
}

fn is_there(is_there: bool) -> (ExchangeDeclareOptions, QueueDeclareOptions) {
    let exchange = ExchangeDeclareOptions { passive: is_there, durable: true, ..Default::default() };
    let queue = QueueDeclareOptions { passive: is_there, durable: true, ..Default::default() };
    (exchange, queue)
}

/// What is declared.
pub(crate) enum Part<'p> {
    Exchange(&'p str, ExchangeKind),
    /// An exchange that goes with the last queue that is bound to it, and that no client publishes to.
    Mark(&'p str),
    Queue(&'p str, Vec<(&'static str, Argument)>),
    Binding {
        queue: &'p str,
        exchange: &'p str,
        key: &'p str,
    },
}

impl Part<'_> {
    fn name(&self) -> String {
        match self {
            Part::Exchange(name, _) | Part::Mark(name) => format!("the exchange {name}"),
            Part::Queue(name, _) => format!("the queue {name}"),
            Part::Binding { queue, exchange, .. } => format!("the binding of {queue} to {exchange}"),
        }
    }

    async fn declare(&self, channel: &Channel, is_passive: bool) -> lapin::Result<()> {
        let (exchange_options, queue_options) = is_there(is_passive);
        match self {
            Part::Exchange(name, kind) => {
                let none = FieldTable::default();
                channel.exchange_declare((*name).into(), kind.clone(), exchange_options, none).await
            }
            Part::Mark(name) => {
                let (kind, none) = (ExchangeKind::Fanout, FieldTable::default());
                let goes_with =
                    ExchangeDeclareOptions { auto_delete: true, internal: true, ..exchange_options };
                channel.exchange_declare((*name).into(), kind, goes_with, none).await
            }
            Part::Queue(name, arguments) => {
                let arguments = if is_passive { FieldTable::default() } else { table(arguments.clone()) };
                channel.queue_declare((*name).into(), queue_options, arguments).await.map(drop)
            }
            Part::Binding { queue, exchange, key } => {
                let (options, none) = (QueueBindOptions::default(), FieldTable::default());
                channel.queue_bind((*queue).into(), (*exchange).into(), (*key).into(), options, none).await
            }
        }
    }
}

/// Makes a place. What is another service's and there already is left alone: this account may have
/// no right to it.
pub(crate) async fn make(
    wire: &Wire,
    options: &Options,
    place: &Place,
    is_own: bool,
) -> Result<(), StartError> {
    let mut maker = Maker::new(wire, options);
    let topic = Part::Exchange(&place.exchange, ExchangeKind::Topic);
    let dead = Part::Exchange(&place.dead_exchange, ExchangeKind::Direct);
    let dead_queue = Part::Queue(&place.dead_queue, dead_arguments());
    let queue = Part::Queue(&place.queue, place.arguments(options.deliveries_max));
    maker.find_or_make(&topic).await?;
    if !is_own && maker.is_there(&queue).await? && maker.is_there(&dead_queue).await? {
        return Ok(());
    }
    for part in [&dead, &dead_queue, &queue] {
        maker.make(part).await?;
    }
    let Place { queue, exchange, binding: key, dead_exchange, dead_queue, .. } = place;
    maker.make(&Part::Binding { queue: dead_queue, exchange: dead_exchange, key: dead_queue }).await?;
    maker.make(&Part::Binding { queue, exchange, key }).await
}

/// Makes sure of the exchange of a context.
pub(crate) async fn make_exchange(wire: &Wire, limit: Duration, context: &str) -> Result<(), StartError> {
    let mut maker = Maker { wire, limit, channel: None };
    maker.find_or_make(&Part::Exchange(&exchange_of(context), ExchangeKind::Topic)).await
}

/// Declares, on a channel that the broker closes whenever it refuses.
pub(crate) struct Maker<'m> {
    wire: &'m Wire,
    limit: Duration,
    channel: Option<Channel>,
}

impl<'m> Maker<'m> {
    pub(crate) fn new(wire: &'m Wire, options: &Options) -> Self {
        Self { wire, limit: options.answer_time_max, channel: None }
    }

    async fn declare(&mut self, part: &Part<'_>, is_passive: bool) -> Result<lapin::Result<()>, Error> {
        let channel = match &self.channel {
            Some(channel) => channel.clone(),
            None => self.channel.insert(self.wire.channel(DECLARING).await?).clone(),
        };
        let declared = tokio::time::timeout(self.limit, part.declare(&channel, is_passive)).await;
        let declared = declared.map_err(|_| unavailable(DECLARING, "no answer"))?;
        if declared.is_err() {
            self.channel = None;
        }
        Ok(declared)
    }

    pub(crate) async fn make(&mut self, part: &Part<'_>) -> Result<(), StartError> {
        let refused = |reason: String| StartError::Topology { what: part.name(), reason };
        let declared = self.declare(part, false).await.map_err(|error| refused(error.to_string()))?;
        declared.map_err(|error| refused(error.to_string()))
    }

    pub(crate) async fn is_there(&mut self, part: &Part<'_>) -> Result<bool, StartError> {
        let refused = |reason: String| StartError::Topology { what: part.name(), reason };
        match self.declare(part, true).await.map_err(|error| refused(error.to_string()))? {
            Ok(()) => Ok(true),
            Err(error) if is_not_found(&error) => Ok(false),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    async fn find_or_make(&mut self, part: &Part<'_>) -> Result<(), StartError> {
        if self.is_there(part).await? { Ok(()) } else { self.make(part).await }
    }
}

/// Looks at queues, on a channel that is kept for that.
pub(crate) struct Looker {
    wire: Wire,
    limit: Duration,
    channel: Mutex<Option<Channel>>,
}

impl Looker {
    pub(crate) fn new(wire: Wire, limit: Duration) -> Self {
        Self { wire, limit, channel: Mutex::default() }
    }

    /// How many messages wait in a queue; `None` where there is no such queue.
    pub(crate) async fn waiting(&self, queue: &str) -> Result<Option<u64>, Error> {
        let mut kept = self.channel.lock().await;
        // Whoever stops waiting for the answer takes the channel with it.
        let channel = match kept.take().filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => self.wire.channel(LOOKING).await?,
        };
        let (_, options) = is_there(true);
        let look = async {
            match channel.queue_declare(queue.into(), options, FieldTable::default()).await {
                Ok(found) => Ok(Some(u64::from(found.message_count()))),
                Err(error) if is_not_found(&error) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let found = within(self.limit, LOOKING, look).await?;
        *kept = found.is_some().then_some(channel);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(consumer: &str, context: &'static str, partition: u32) -> Subscription {
        Subscription { consumer: consumer.into(), service: "payment", context, partition, after: None }
    }

    #[test]
    fn queues_are_named_after_service_context_and_partition() {
        let one = Place::of(&Options::default(), &subscription("payment-order", "order", 0));
        let one = one.expect("it is a name");
        assert_eq!((one.queue.as_str(), one.binding.as_str()), ("payment.order.queue", "order.#"));
        assert_eq!((one.exchange.as_str(), one.dead_queue.as_str()), ("order.events", "payment.order.dlq"));
        let options = Options { partitions: 4, ..Options::default() };
        let third = Place::of(&options, &subscription("payment-order", "order", 3)).expect("it is a name");
        assert_eq!((third.queue.as_str(), third.binding.as_str()), {
            ("payment.order.queue.p3", "order.#.p3")
        });
        assert_eq!(third.dead_queue, "payment.order.dlq", "one for all partitions");
    }

    #[test]
    fn what_has_no_place_is_refused_by_name() {
        let refused = |subscription| match Place::of(&Options::default(), &subscription) {
            Err(error) => error.to_string(),
            Ok(place) => panic!("{place:?}"),
        };
        assert!(refused(subscription("payment-order", "order", 1)).contains("partition 1 of 1"));
        assert!(refused(subscription("a.b-order", "order", 0)).contains("a.b-order"));
    }

    #[test]
    fn a_deployment_has_a_place_for_each_partition_of_each_reader() {
        let consumers = [("order", "payment"), ("payment", "order")];
        let consumers = consumers.map(|(service, context)| (service.to_owned(), context.to_owned()));
        let options = Options { consumers: consumers.into(), partitions: 2, ..Options::default() };
        let queues: Vec<String> = Place::all(&options).into_iter().map(|place| place.queue).collect();
        assert_eq!(
            queues,
            [
                "order.payment.queue.p0",
                "order.payment.queue.p1",
                "payment.order.queue.p0",
                "payment.order.queue.p1"
            ]
        );
    }
}
