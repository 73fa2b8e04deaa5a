//! The broker's side of a consumer: its mark, and who reads it.

use async_nats::jetstream::Context;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, Config, DeliverPolicy, Info, pull};
use async_nats::jetstream::context::{ConsumerInfoErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{RawMessageErrorKind, State};
use backbone::bus::{Error, Subscription};
use kernel::Timestamp;

use crate::error::unavailable;
use crate::options::Options;
use crate::reader::timestamp;
use crate::table::Retention;

/// What was attempted, where opening fails.
pub(crate) const OPENING: &str = "opening a consumer";
/// Who reads a consumer that was declared and not opened.
const NOBODY: &str = "nobody yet";

/// Where a consumer reads.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The name in the market: `order-inventory`.
    pub(crate) consumer: String,
    /// The name at the broker: with the partition where there are several.
    pub(crate) durable: String,
    pub(crate) stream: &'static str,
    /// `inventory.>`.
    pub(crate) filter: String,
    pub(crate) partition: u32,
    pub(crate) partitions: u32,
    /// The stream loses messages by its limits alone, so a hole at its beginning is a loss.
    pub(crate) keeps_to_limits: bool,
    /// A new one begins with what comes next.
    pub(crate) is_from_now: bool,
}

impl Place {
    pub(crate) fn of(options: &Options, subscription: &Subscription) -> Result<Self, Error> {
        let Subscription { consumer, service, context, partition, .. } = subscription;
        let Some(spec) = options.stream_of(context) else {
            let reason = format!("no stream of the table carries the context {context:?}");
            return Err(unavailable(OPENING, reason));
        };
        let partitions = options.partitions;
        if *partition >= partitions {
            let reason = format!("{consumer}: partition {partition} of {partitions} is none");
            return Err(unavailable(OPENING, reason));
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if consumer.is_empty() || !consumer.chars().all(is_word) {
            return Err(unavailable(OPENING, format!("{consumer:?} is no name for a consumer")));
        }
        let durable = match partitions {
            1 => consumer.clone(),
            _ => format!("{consumer}-p{partition}"),
        };
        Ok(Self {
            consumer: consumer.clone(),
            durable,
            stream: spec.name,
            filter: spec.subjects(),
            partition: *partition,
            partitions,
            keeps_to_limits: spec.retention == Retention::Limits,
            is_from_now: options.from_now.iter().any(|from_now| from_now == service),
        })
    }
}

/// What the broker knows of a consumer, where it has it.
pub(crate) async fn look(server: &Context, place: &Place) -> Result<Option<Info>, String> {
    let stream = server.get_stream_no_info(place.stream).await.map_err(|error| error.to_string())?;
    match stream.consumer_info(&place.durable).await {
        Ok(info) => Ok(Some(info)),
        Err(error) => match error.kind() {
            ConsumerInfoErrorKind::NotFound => Ok(None),
            ConsumerInfoErrorKind::JetStream(said) if said.error_code() == ErrorCode::CONSUMER_NOT_FOUND => {
                Ok(None)
            }
            _ => Err(error.to_string()),
        },
    }
}

/// The stream of a consumer is gone: a broker that lost its storage.
pub(crate) async fn is_homeless(server: &Context, place: &Place) -> bool {
    let error = server.get_stream(place.stream).await.err().map(|error| error.kind());
    let code = ErrorCode::STREAM_NOT_FOUND;
    matches!(error, Some(GetStreamErrorKind::JetStream(said)) if said.error_code() == code)
}

/// Whether somebody has opened the consumer since it was made.
pub(crate) fn was_opened(info: &Info) -> bool {
    info.config.description.as_deref() != Some(NOBODY)
}

/// The last position of a stream that it took in before `at`: searched for, not read through.
pub(crate) async fn position_before(server: &Context, place: &Place, at: Timestamp) -> Result<u64, String> {
    let stream = server.get_stream(place.stream).await.map_err(|error| error.to_string())?;
    let State { first_sequence, last_sequence, .. } = stream.cached_info().state.clone();
    // What stands up to `early` came before; what stands after `late` did not.
    let (mut early, mut late) = (first_sequence.max(1) - 1, last_sequence);
    while early < late {
        let middle = early + (late - early).div_ceil(2);
        let read = stream.raw_message_builder().sequence(middle).next_by_subject(&place.filter);
        match read.send().await {
            Ok(found) if timestamp(found.time.unix_timestamp_nanos()) < at => {
                early = found.sequence.clamp(middle, late);
            }
            Ok(_) => late = middle - 1,
            // Nothing stands from there on.
            Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => late = middle - 1,
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(early)
}

/// Makes the consumer where it is not there; whoever reads it goes on.
pub(crate) async fn make_sure(server: &Context, options: &Options, place: &Place) -> Result<(), Error> {
    let is_there = async || look(server, place).await.map(|found| found.is_some());
    if is_there().await.map_err(|error| unavailable(OPENING, error))? {
        return Ok(());
    }
    match take_over(server, options, place, NOBODY).await {
        // Another process was faster.
        Err(_) if is_there().await.unwrap_or(false) => Ok(()),
        made => made,
    }
}

/// Makes the consumer where it is not there, and says at the broker who reads it from now on.
pub(crate) async fn take_over(
    server: &Context,
    options: &Options,
    place: &Place,
    reader: &str,
) -> Result<(), Error> {
    let existing = look(server, place).await.map_err(|error| unavailable(OPENING, error))?;
    let deliver_policy = match &existing {
        // It began once; where, is history that cannot be changed.
        Some(info) => info.config.deliver_policy,
        None => DeliverPolicy::ByStartSequence { start_sequence: beginning(server, place).await? },
    };
    let wanted = pull::Config {
        durable_name: Some(place.durable.clone()),
        description: Some(reader.to_owned()),
        deliver_policy,
        ack_policy: AckPolicy::Explicit,
        ack_wait: options.ack_wait,
        // Unlimited: past a limit the broker forgets a message without a word. What kills its handler
        // again and again is counted by the engine, and what is held is not delivered again.
        max_deliver: -1,
        filter_subject: place.filter.clone(),
        max_ack_pending: i64::from(options.in_flight_max),
        ..pull::Config::default()
    };
    if let Some(Info { config, .. }) = existing {
        let refused = differences(&config, &wanted);
        if !refused.is_empty() {
            let reason = format!(
                "{} is there and differs: {}; delete it: it is made as wanted, and what it has not had comes from \
                 the journals",
                place.durable,
                refused.join("; ")
            );
            return Err(unavailable(OPENING, reason));
        }
    }
    let made = server.create_consumer_on_stream(wanted, place.stream).await;
    made.map(drop).map_err(|error| unavailable(OPENING, error))
}

/// Where a new consumer begins. It is written into the consumer: before its first acknowledgement
/// the broker's mark is zero, wherever it began.
async fn beginning(server: &Context, place: &Place) -> Result<u64, Error> {
    let stream = server.get_stream(place.stream).await.map_err(|error| unavailable(OPENING, error))?;
    let state = &stream.cached_info().state;
    Ok(if place.is_from_now { state.last_sequence + 1 } else { state.first_sequence.max(1) })
}

/// Up to where a consumer has nothing to expect: its mark, or what stood before its beginning.
pub(crate) fn floor(info: &Info) -> u64 {
    let before = match info.config.deliver_policy {
        DeliverPolicy::ByStartSequence { start_sequence } => start_sequence.saturating_sub(1),
        _ => 0,
    };
    info.ack_floor.stream_sequence.max(before)
}

/// What cannot be changed without losing or repeating.
fn differences(existing: &Config, wanted: &pull::Config) -> Vec<String> {
    let mut refused = Vec::new();
    if existing.deliver_subject.is_some() {
        refused.push("it pushes, wanted is one to pull from".to_owned());
    }
    if existing.ack_policy != wanted.ack_policy {
        refused.push(format!("ack_policy is {:?}, wanted {:?}", existing.ack_policy, wanted.ack_policy));
    }
    if existing.filter_subject != wanted.filter_subject {
        let (there, wanted) = (&existing.filter_subject, &wanted.filter_subject);
        refused.push(format!("filter_subject is {there:?}, wanted {wanted:?}"));
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(context: &'static str, partition: u32) -> Subscription {
        let consumer = format!("payment-{context}");
        Subscription { consumer, service: "payment", context, partition, after: None }
    }

    #[test]
    fn a_consumer_is_named_after_service_context_and_partition() {
        let one = Place::of(&Options::default(), &subscription("order", 0)).expect("it is in the table");
        assert_eq!((one.durable.as_str(), one.stream, one.filter.as_str()), {
            ("payment-order", "ORDERS", "order.>")
        });
        let options = Options { partitions: 4, ..Options::default() };
        let third = Place::of(&options, &subscription("order", 3)).expect("it is in the table");
        assert_eq!((third.durable.as_str(), third.consumer.as_str()), ("payment-order-p3", "payment-order"));
    }

    #[test]
    fn what_has_no_place_is_refused_by_name() {
        let refused = |subscription| match Place::of(&Options::default(), &subscription) {
            Err(error) => error.to_string(),
            Ok(place) => panic!("{place:?}"),
        };
        assert!(refused(subscription("weather", 0)).contains("weather"));
        assert!(refused(subscription("order", 1)).contains("partition 1 of 1"));
        let dotted = Subscription { consumer: "a.b".into(), ..subscription("order", 0) };
        assert!(refused(dotted).contains("a.b"));
    }

    #[test]
    fn a_consumer_that_reads_otherwise_is_refused() {
        let wanted = pull::Config {
            ack_policy: AckPolicy::Explicit,
            filter_subject: "order.>".into(),
            ..pull::Config::default()
        };
        let same =
            Config { ack_policy: AckPolicy::Explicit, filter_subject: "order.>".into(), ..Config::default() };
        assert!(differences(&same, &wanted).is_empty());
        let other = Config {
            ack_policy: AckPolicy::None,
            filter_subject: "order.created.v1".into(),
            deliver_subject: Some("somewhere".into()),
            ..Config::default()
        };
        assert_eq!(differences(&other, &wanted).len(), 3);
    }
}
