//! An event as a message: CloudEvents 1.0 in binary mode, attributes as `cloudEvents:…` headers and
//! the payload alone as body. What others send is read in structured mode too.

use std::collections::BTreeMap;

use bytes::Bytes;
use kernel::{Envelope, EventId, Timestamp, derived_id};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString};
use serde_json::value::RawValue;
use uuid::Uuid;

const PREFIX: &str = "cloudEvents:";
/// What the binding allows as well, for clients whose property names may have no colon.
const PREFIX_PLAIN: &str = "cloudEvents_";
/// How a message in structured mode says so.
const STRUCTURED: &str = "application/cloudevents";
/// Grows from message to message of a producer: what the broker gives back is put in order by it.
const ORDER: &str = "a4co-order";
/// It survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// The properties of an event that is the `order`th of its producer.
pub(crate) fn encode(event: &Envelope, order: i64) -> BasicProperties {
    let mut headers = FieldTable::default();
    let mut set = |name: &str, value: &str| {
        headers.insert(format!("{PREFIX}{name}").into(), text(value));
    };
    set("specversion", "1.0");
    set("id", &event.id.to_string());
    set("source", &event.source);
    set("type", &event.kind);
    set("subject", &event.subject);
    set("time", &event.time.to_string());
    set("dataschema", &event.data_schema());
    set("correlationid", &event.correlation_id);
    set("causationid", &event.causation_id);
    set("sequence", &event.sequence.to_string());
    for (name, value) in [("traceparent", &event.traceparent), ("keyid", &event.key_id)] {
        if let Some(value) = value {
            set(name, value);
        }
    }
    headers.insert(ORDER.into(), AMQPValue::LongLongInt(order));
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(event.id.to_string().into())
        .with_headers(headers)
}

/// A header's value.
pub(crate) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

/// Where a message stands among those of its producer, if that says so.
pub(crate) fn order(properties: &BasicProperties) -> Option<i64> {
    match properties.headers().as_ref()?.inner().get(ORDER)? {
        AMQPValue::LongLongInt(order) => Some(*order),
        _ => None,
    }
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

/// Attributes by name, and the payload.
type Parts = (BTreeMap<String, String>, Bytes);

/// Reads a message that arrived at `arrived`, or says why it is no event. What CloudEvents leaves
/// optional and our envelope wants gets the value that says least: the event is its own flow, its
/// own cause and, without a subject, its own key.
pub(crate) fn decode(
    properties: &BasicProperties,
    body: &Bytes,
    arrived: Timestamp,
) -> Result<Envelope, String> {
    let content = properties.content_type().as_ref().map(|kind| kind.as_str().to_ascii_lowercase());
    let is_structured = content.as_ref().is_some_and(|kind| kind.starts_with(STRUCTURED));
    let (attributes, data) = if is_structured { structured(body)? } else { binary(properties, body) };
    let optional = |name: &str| attributes.get(name).filter(|value| !value.is_empty()).cloned();
    let required = |name: &str| optional(name).ok_or_else(|| format!("the attribute `{name}` is missing"));
    match required("specversion")?.as_str() {
        "1.0" => {}
        other => return Err(format!("CloudEvents {other:?} is not 1.0")),
    }
    let kind = optional("datacontenttype").or(content.filter(|_| !is_structured));
    if let Some(kind) = kind.filter(|kind| !is_json(kind)) {
        return Err(format!("the payload is {kind:?}, not JSON"));
    }
    let (id, source) = (required("id")?, required("source")?);
    let time = optional("time").map(|text| {
        text.parse::<Timestamp>().map_err(|_| format!("`time` is {text:?}, not an RFC 3339 time"))
    });
    let sequence = optional("sequence")
        .map(|text| text.parse::<u64>().map_err(|_| format!("`sequence` is {text:?}, not a whole number")));
    Ok(Envelope {
        id: event_id(&source, &id),
        source,
        kind: required("type")?,
        subject: optional("subject").unwrap_or_else(|| id.clone()),
        time: time.transpose()?.unwrap_or(arrived),
        correlation_id: optional("correlationid").unwrap_or_else(|| id.clone()),
        causation_id: optional("causationid").unwrap_or(id),
        sequence: sequence.transpose()?.unwrap_or(0),
        traceparent: optional("traceparent"),
        key_id: optional("keyid"),
        data,
    })
}

fn binary(properties: &BasicProperties, body: &Bytes) -> Parts {
    let headers = properties.headers().as_ref().into_iter().flat_map(|headers| headers.inner());
    let attribute = |(name, value): (&lapin::types::ShortString, &AMQPValue)| {
        let name = name.as_str();
        let name = name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(PREFIX_PLAIN))?;
        Some((name.to_ascii_lowercase(), plain(value)?))
    };
    (headers.filter_map(attribute).collect(), body.clone())
}

fn structured(body: &Bytes) -> Result<Parts, String> {
    let members: BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(body).map_err(|error| format!("no CloudEvent in JSON: {error}"))?;
    let mut attributes = BTreeMap::new();
    let mut data = Bytes::from_static(b"null");
    for (name, value) in members {
        match (name.as_str(), value.get()) {
            ("data", text) => data = Bytes::from(text.to_owned()),
            ("data_base64", _) => return Err("the payload is binary, not JSON".to_owned()),
            (_, "null") => {}
            (_, text) => {
                let value = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned());
                attributes.insert(name, value);
            }
        }
    }
    Ok((attributes, data))
}

/// Ours are UUIDs. For another text, source and id together are what CloudEvents promises to be
/// unique, so the id that follows from them is the same each time.
fn event_id(source: &str, id: &str) -> EventId {
    let derived = || derived_id(Uuid::nil(), &format!("{source}\n{id}"));
    Uuid::parse_str(id).unwrap_or_else(|_| derived()).into()
}

fn is_json(kind: &str) -> bool {
    let name = kind.split(';').next().unwrap_or(kind).trim().to_ascii_lowercase();
    name == "application/json" || name == "text/json" || name.ends_with("+json")
}

#[cfg(test)]
mod tests;
