//! An event as attributes and payload, after CloudEvents 1.0: what every broker's binding has in
//! common. How attributes are named and encoded in a message is each binding's own.

use std::collections::BTreeMap;

use bytes::Bytes;
use kernel::{Envelope, EventId, Timestamp, derived_id};
use serde_json::value::RawValue;
use uuid::Uuid;

/// How the content type of a message in structured mode begins.
const STRUCTURED: &str = "application/cloudevents";

/// The content type of our payloads.
pub const DATA_CONTENT_TYPE: &str = "application/json";

/// The attributes of an event by name, the content type of its payload left out: bindings differ in
/// where that stands.
pub fn attributes(event: &Envelope) -> Vec<(&'static str, String)> {
    let mut attributes = vec![
        ("specversion", "1.0".to_owned()),
        ("id", event.id.to_string()),
        ("source", event.source.clone()),
        ("type", event.kind.clone()),
        ("subject", event.subject.clone()),
        ("time", event.time.to_string()),
        ("dataschema", event.data_schema()),
        ("correlationid", event.correlation_id.clone()),
        ("causationid", event.causation_id.clone()),
        ("sequence", event.sequence.to_string()),
    ];
    let optional = [("traceparent", &event.traceparent), ("keyid", &event.key_id)];
    attributes.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    attributes
}

/// A message whose attributes are decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// By name, in lower case.
    pub attributes: BTreeMap<String, String>,
    /// The payload.
    pub data: Bytes,
}

/// Whether a message with this content type holds the whole event in its body.
pub fn is_structured(content_type: &str) -> bool {
    content_type.to_ascii_lowercase().starts_with(STRUCTURED)
}

impl Message {
    /// Reads a body in structured mode.
    pub fn structured(body: &Bytes) -> Result<Self, String> {
        let members: BTreeMap<String, Box<RawValue>> =
            serde_json::from_slice(body).map_err(|error| format!("no CloudEvent in JSON: {error}"))?;
        let mut message = Self { data: Bytes::from_static(b"null"), ..Self::default() };
        for (name, value) in members {
            match (name.as_str(), value.get()) {
                ("data", text) => message.data = Bytes::from(text.to_owned()),
                ("data_base64", _) => return Err("the payload is binary, not JSON".to_owned()),
                (_, "null") => {}
                (_, text) => {
                    let value = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned());
                    message.attributes.insert(name, value);
                }
            }
        }
        Ok(message)
    }

    /// The event of a message that arrived at `arrived`, or why it is none. What CloudEvents leaves
    /// optional and our envelope wants gets the value that says least: the event is its own flow, its
    /// own cause and, without a subject, its own key.
    pub fn event(self, arrived: Timestamp) -> Result<Envelope, String> {
        let Self { attributes, data } = self;
        let optional = |name: &str| attributes.get(name).filter(|value| !value.is_empty()).cloned();
        let required =
            |name: &str| optional(name).ok_or_else(|| format!("the attribute `{name}` is missing"));
        match required("specversion")?.as_str() {
            "1.0" => {}
            other => return Err(format!("CloudEvents {other:?} is not 1.0")),
        }
        if let Some(kind) = optional("datacontenttype").filter(|kind| !is_json(kind)) {
            return Err(format!("the payload is {kind:?}, not JSON"));
        }
        let (id, source) = (required("id")?, required("source")?);
        let time = optional("time").map(|text| {
            text.parse::<Timestamp>().map_err(|_| format!("`time` is {text:?}, not an RFC 3339 time"))
        });
        let sequence = optional("sequence").map(|text| {
            text.parse::<u64>().map_err(|_| format!("`sequence` is {text:?}, not a whole number"))
        });
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
}

/// Ours are UUIDs. For another text, source and id together are what CloudEvents promises to be
/// unique, so the id that follows from them is the same each time.
pub fn event_id(source: &str, id: &str) -> EventId {
    let derived = || derived_id(Uuid::nil(), &format!("{source}\n{id}"));
    Uuid::parse_str(id).unwrap_or_else(|_| derived()).into()
}

fn is_json(kind: &str) -> bool {
    let name = kind.split(';').next().unwrap_or(kind).trim().to_ascii_lowercase();
    name == "application/json" || name == "text/json" || name.ends_with("+json")
}
