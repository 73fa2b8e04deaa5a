//! An event as a message: CloudEvents 1.0 in binary mode, attributes as `ce-…` headers and the
//! payload alone as body. What others send is read in structured mode too.

use std::collections::BTreeMap;

use async_nats::HeaderMap;
use bytes::Bytes;
use kernel::{Envelope, EventId, Timestamp, derived_id};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::percent;

const PREFIX: &str = "ce-";
const CONTENT_TYPE: &str = "content-type";
/// How a message in structured mode says so.
const STRUCTURED: &str = "application/cloudevents";
/// By which the broker knows a message that was published before.
pub(crate) const MESSAGE_ID: &str = "Nats-Msg-Id";

/// The headers of an event that is published under `message_id`.
pub(crate) fn encode(event: &Envelope, message_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(MESSAGE_ID, message_id);
    let mut set = |name: &str, value: &str| {
        headers.insert(format!("{PREFIX}{name}").as_str(), percent::encode(value).as_str());
    };
    set("specversion", "1.0");
    set("id", &event.id.to_string());
    set("source", &event.source);
    set("type", &event.kind);
    set("subject", &event.subject);
    set("time", &event.time.to_string());
    set("datacontenttype", "application/json");
    set("dataschema", &event.data_schema());
    set("correlationid", &event.correlation_id);
    set("causationid", &event.causation_id);
    set("sequence", &event.sequence.to_string());
    for (name, value) in [("traceparent", &event.traceparent), ("keyid", &event.key_id)] {
        if let Some(value) = value {
            set(name, value);
        }
    }
    headers
}

/// Attributes by name, and the payload.
type Parts = (BTreeMap<String, String>, Bytes);

/// Reads a message that arrived at `arrived`, or says why it is no event. What CloudEvents leaves
/// optional and our envelope wants gets the value that says least: the event is its own flow, its
/// own cause and, without a subject, its own key.
pub(crate) fn decode(headers: &HeaderMap, body: &Bytes, arrived: Timestamp) -> Result<Envelope, String> {
    let lower = |name: &str| name.to_ascii_lowercase();
    let plain: BTreeMap<String, &str> = headers
        .iter()
        .filter_map(|(name, values)| Some((lower(name.as_ref()), values.last()?.as_str())))
        .collect();
    let is_structured = plain.get(CONTENT_TYPE).is_some_and(|kind| lower(kind).starts_with(STRUCTURED));
    let (attributes, data) = if is_structured { structured(body)? } else { binary(&plain, body) };
    let optional = |name: &str| attributes.get(name).filter(|value| !value.is_empty()).cloned();
    let required = |name: &str| optional(name).ok_or_else(|| format!("the attribute `{name}` is missing"));
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

fn binary(headers: &BTreeMap<String, &str>, body: &Bytes) -> Parts {
    let attributes = headers
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_owned(), percent::decode(value))));
    (attributes.collect(), body.clone())
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
mod tests {
    use super::*;

    fn event() -> Envelope {
        Envelope {
            id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001).into(),
            source: "order".into(),
            kind: "order.created.v1".into(),
            subject: "01900000-0000-7000-8000-00000000000a".into(),
            time: Timestamp::from_micros(1_763_800_000_123_456),
            correlation_id: "a flow, ñ".into(),
            causation_id: "place-order".into(),
            sequence: 3_001,
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
            key_id: Some("master-1".into()),
            data: Bytes::from_static(b"{\"n\":1}"),
        }
    }

    fn arrived() -> Timestamp {
        Timestamp::from_micros(7)
    }

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(*name, *value);
        }
        headers
    }

    /// What any CloudEvents library reads: names, values and their encoding are fixed for ever.
    #[test]
    fn an_event_has_the_headers_of_the_binding() {
        let headers = encode(&event(), "01900000-0000-7000-8000-000000000001");
        let mut lines: Vec<String> =
            headers.iter().map(|(name, values)| format!("{}: {}", name, values[0].as_str())).collect();
        lines.sort();
        let golden = [
            "Nats-Msg-Id: 01900000-0000-7000-8000-000000000001",
            "ce-causationid: place-order",
            "ce-correlationid: a%20flow,%20%C3%B1",
            "ce-datacontenttype: application/json",
            "ce-dataschema: /schemas/order.created.v1",
            "ce-id: 01900000-0000-7000-8000-000000000001",
            "ce-keyid: master-1",
            "ce-sequence: 3001",
            "ce-source: order",
            "ce-specversion: 1.0",
            "ce-subject: 01900000-0000-7000-8000-00000000000a",
            "ce-time: 2025-11-22T08:26:40.123456Z",
            "ce-traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ce-type: order.created.v1",
        ];
        assert_eq!(lines, golden);
    }

    #[test]
    fn an_event_survives_being_written_and_read() {
        let plain = Envelope { traceparent: None, key_id: None, ..event() };
        for event in [event(), plain] {
            assert_eq!(decode(&encode(&event, "x"), &event.data, arrived()), Ok(event));
        }
    }

    #[test]
    fn the_least_that_another_client_sends_is_an_event() {
        let sent = headers(&[
            ("CE-SpecVersion", "1.0"),
            ("ce-id", "A234-1234"),
            ("ce-source", "https://example.org/till%201"),
            ("ce-type", "order.created.v1"),
        ]);
        let read = decode(&sent, &Bytes::from_static(b"{}"), arrived()).expect("it is an event");
        assert_eq!(read.id, event_id("https://example.org/till 1", "A234-1234"));
        assert_ne!(read.id, event_id("https://example.org/till 2", "A234-1234"));
        assert_eq!((read.subject.as_str(), read.correlation_id.as_str()), ("A234-1234", "A234-1234"));
        assert_eq!((read.causation_id.as_str(), read.sequence), ("A234-1234", 0));
        assert_eq!((read.time, read.traceparent, read.key_id), (arrived(), None, None));
    }

    #[test]
    fn an_event_in_structured_mode_is_read_as_well() {
        let sent = headers(&[("Content-Type", "application/cloudevents+json; charset=utf-8")]);
        let body = r#"{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000001","source":"till",
            "type":"order.created.v1","time":"2025-11-22T08:26:40Z","sequence":5,"keyid":null,
            "data":{"total":12.50}}"#;
        let read = decode(&sent, &Bytes::from_static(body.as_bytes()), arrived()).expect("it is an event");
        assert_eq!((read.id, read.sequence), (event().id, 5));
        assert_eq!((&read.data[..], read.key_id), (&br#"{"total":12.50}"#[..], None));
    }

    #[test]
    fn what_is_no_event_says_why() {
        let whole = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "s"), ("ce-type", "a.b.v1")];
        let cases: Vec<(Vec<(&str, &str)>, &str)> = vec![
            (Vec::new(), "specversion"),
            (whole[..3].to_vec(), "`type`"),
            (whole[1..].to_vec(), "specversion"),
            ([&whole[1..], &[("ce-specversion", "0.3")]].concat(), "0.3"),
            ([&whole[..], &[("ce-time", "yesterday")]].concat(), "yesterday"),
            ([&whole[..], &[("ce-sequence", "first")]].concat(), "first"),
            ([&whole[..], &[("ce-datacontenttype", "application/avro")]].concat(), "avro"),
            (vec![("content-type", "application/cloudevents+json")], "JSON"),
        ];
        for (lines, names) in cases {
            let found = decode(&headers(&lines), &Bytes::from_static(b"{"), arrived());
            let reason = found.expect_err(names);
            assert!(reason.contains(names), "{reason}");
        }
    }
}
