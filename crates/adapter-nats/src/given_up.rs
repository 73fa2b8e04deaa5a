//! What lies in the broker's own dead letters: the stream that `dead_letter` fills. JetStream puts
//! nothing there by itself: it delivers a message until it is acknowledged.

use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{DeleteMessageErrorKind, RawMessageErrorKind, Stream};
use async_nats::jetstream::{Context, ErrorCode};
use backbone::bus::{Error, GivenUp};

use crate::dead_letter::REPORT;
use crate::durable::Place;
use crate::error::unavailable;
use crate::headers;
use crate::options::{DEAD_LETTERS, Options};
use crate::percent;
use crate::reader::timestamp;

pub(crate) const LOOKING: &str = "looking at the broker's dead letters";

/// The oldest dead letters of a place.
pub(crate) async fn oldest(
    server: &Context,
    options: &Options,
    place: &Place,
    limit: usize,
) -> Result<Vec<GivenUp>, Error> {
    let stream = stream(server, options).await?;
    // `dlq.order.>` of a place that reads `order.>`.
    let subjects = format!("{DEAD_LETTERS}.{}", place.filter);
    let (mut found, mut next) = (Vec::new(), 1);
    while found.len() < limit {
        let read = stream.raw_message_builder().sequence(next).next_by_subject(&subjects);
        let message = match read.send().await {
            Ok(message) => message,
            Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => break,
            Err(error) => return Err(unavailable(LOOKING, error)),
        };
        next = message.sequence + 1;
        if is_of(&message.headers, place) {
            found.push(shown(message));
        }
    }
    Ok(found)
}

/// Removes those of these handles that are dead letters of the place.
pub(crate) async fn forget(
    server: &Context,
    options: &Options,
    place: &Place,
    handles: &[u64],
) -> Result<(), Error> {
    let stream = stream(server, options).await?;
    for handle in handles {
        let letter = match stream.raw_message_builder().sequence(*handle).send().await {
            Ok(letter) => letter,
            Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => continue,
            Err(error) => return Err(unavailable(LOOKING, error)),
        };
        if !is_of(&letter.headers, place) {
            continue;
        }
        match stream.delete_message(*handle).await {
            Ok(_) => {}
            // Somebody was faster.
            Err(error) if is_gone(&error.kind()) => {}
            Err(error) => return Err(unavailable(LOOKING, error)),
        }
    }
    Ok(())
}

async fn stream(server: &Context, options: &Options) -> Result<Stream<()>, Error> {
    let name = options.stream_of(DEAD_LETTERS).map_or("DLQ", |spec| spec.name);
    server.get_stream_no_info(name).await.map_err(|error| unavailable(LOOKING, error))
}

fn is_gone(kind: &DeleteMessageErrorKind) -> bool {
    let codes = [ErrorCode::NO_MESSAGE_FOUND, ErrorCode::STREAM_MESSAGE_DELETE_FAILED];
    matches!(kind, DeleteMessageErrorKind::JetStream(said) if codes.contains(&said.error_code()))
}

fn said(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(format!("{REPORT}{name}").as_str()).map(|value| percent::decode(value.as_str()))
}

/// By the consumer of its report.
fn is_of(headers: &HeaderMap, place: &Place) -> bool {
    said(headers, "consumer").is_some_and(|consumer| consumer == place.durable)
}

fn shown(message: StreamMessage) -> GivenUp {
    let StreamMessage { subject, sequence, headers, payload, time } = message;
    let stored_at = timestamp(time.unix_timestamp_nanos());
    let moved_at = said(&headers, "moved-at").and_then(|text| text.parse().ok());
    let lines = headers.iter().flat_map(|(name, values)| {
        values.iter().map(move |value| (name.to_string(), value.as_str().to_owned()))
    });
    let kind = subject.as_str();
    GivenUp {
        handle: sequence,
        kind: kind
            .strip_prefix(DEAD_LETTERS)
            .and_then(|kind| kind.strip_prefix('.'))
            .unwrap_or(kind)
            .to_owned(),
        reason: said(&headers, "error").unwrap_or_default(),
        at: moved_at.unwrap_or(stored_at),
        event: headers::decode(&headers, &payload, stored_at).ok().map(std::sync::Arc::new),
        headers: lines.collect(),
        body: payload,
    }
}
