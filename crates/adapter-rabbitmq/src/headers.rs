//! An event as a message: CloudEvents 1.0 in binary mode, attributes as `cloudEvents:…` headers and
//! the payload alone as body. What others send is read in structured mode too.

use backbone::cloudevents::{self, Message};
use bytes::Bytes;
use kernel::{Envelope, Timestamp};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString};

const PREFIX: &str = "cloudEvents:";
/// What the binding allows as well, for clients whose property names may have no colon.
const PREFIX_PLAIN: &str = "cloudEvents_";
/// The place in the producer's journal: what the broker gives back is put in order by it.
pub(crate) const POSITION: &str = "a4co-position";
/// Grows from message to message of a process: the order of what says no place.
pub(crate) const SENT: &str = "a4co-order";
/// It survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// The properties of an event that is the `sent`th of this process, with its place in the producer's
/// journal where that is known.
pub(crate) fn encode(event: &Envelope, position: Option<u64>, sent: i64) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in cloudevents::attributes(event) {
        headers.insert(format!("{PREFIX}{name}").into(), text(&value));
    }
    headers.insert(SENT.into(), AMQPValue::LongLongInt(sent));
    if let Some(position) = position.and_then(|position| i64::try_from(position).ok()) {
        headers.insert(POSITION.into(), AMQPValue::LongLongInt(position));
    }
    BasicProperties::default()
        .with_content_type(cloudevents::DATA_CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(event.id.to_string().into())
        .with_headers(headers)
}

/// A header's value.
pub(crate) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

fn header<'p>(properties: &'p BasicProperties, name: &str) -> Option<&'p AMQPValue> {
    properties.headers().as_ref()?.inner().get(name)
}

/// A header of ours that is a number.
pub(crate) fn number(properties: &BasicProperties, name: &str) -> Option<i64> {
    match header(properties, name)? {
        AMQPValue::LongLongInt(number) => Some(*number),
        _ => None,
    }
}

/// Who published a message, where its headers say so.
pub(crate) fn source(properties: &BasicProperties) -> Option<String> {
    header(properties, &format!("{PREFIX}source")).and_then(plain)
}

/// The headers as texts: what is a list or a table is shown as it is written down.
pub(crate) fn lines(properties: &BasicProperties) -> Vec<(String, String)> {
    let named = |(name, value): (&_, &AMQPValue)| {
        let name: &lapin::types::ShortString = name;
        (name.to_string(), plain(value).unwrap_or_else(|| format!("{value:?}")))
    };
    let headers = properties.headers().as_ref();
    let mut lines: Vec<_> = headers.into_iter().flat_map(|headers| headers.inner()).map(named).collect();
    if let Some(kind) = properties.content_type() {
        lines.push(("content-type".to_owned(), kind.to_string()));
    }
    lines
}

/// A scalar as text.
pub(crate) fn plain(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        AMQPValue::ShortString(text) => text.to_string(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Timestamp(seconds) => time_of(*seconds).to_string(),
        _ => return None,
    })
}

/// A time of the broker's.
pub(crate) fn time_of(seconds: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000))
}

/// Reads a message that arrived at `arrived`, or says why it is no event.
pub(crate) fn decode(
    properties: &BasicProperties,
    body: &Bytes,
    arrived: Timestamp,
) -> Result<Envelope, String> {
    let content = properties.content_type().as_ref().map(|kind| kind.as_str());
    if content.is_some_and(cloudevents::is_structured) {
        return Message::structured(body)?.event(arrived);
    }
    let mut message = binary(properties, body);
    if let Some(content) = content {
        // The binding keeps the payload's type there; an attribute of that name is stronger.
        message.attributes.entry("datacontenttype".to_owned()).or_insert_with(|| content.to_owned());
    }
    message.event(arrived)
}

fn binary(properties: &BasicProperties, body: &Bytes) -> Message {
    let headers = properties.headers().as_ref().into_iter().flat_map(|headers| headers.inner());
    let attribute = |(name, value): (&lapin::types::ShortString, &AMQPValue)| {
        let name = name.as_str();
        let name = name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(PREFIX_PLAIN))?;
        Some((name.to_ascii_lowercase(), plain(value)?))
    };
    Message { attributes: headers.filter_map(attribute).collect(), data: body.clone() }
}

#[cfg(test)]
mod tests;
