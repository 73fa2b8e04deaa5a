//! An event as a message: CloudEvents 1.0 in binary mode, attributes as `ce-…` headers and the
//! payload alone as body. What others send is read in structured mode too.

use std::collections::BTreeMap;

use async_nats::HeaderMap;
use backbone::cloudevents::{self, Message};
use bytes::Bytes;
use kernel::{Envelope, Timestamp};

use crate::percent;

const PREFIX: &str = "ce-";
const CONTENT_TYPE: &str = "content-type";
/// By which the broker knows a message that was published before.
pub(crate) const MESSAGE_ID: &str = "Nats-Msg-Id";

/// The headers of an event that is published under `message_id`.
pub(crate) fn encode(event: &Envelope, message_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(MESSAGE_ID, message_id);
    let mut set = |name: &str, value: &str| {
        headers.insert(format!("{PREFIX}{name}").as_str(), percent::encode(value).as_str());
    };
    for (name, value) in cloudevents::attributes(event) {
        set(name, &value);
    }
    set("datacontenttype", cloudevents::DATA_CONTENT_TYPE);
    headers
}

/// Reads a message that arrived at `arrived`, or says why it is no event.
pub(crate) fn decode(headers: &HeaderMap, body: &Bytes, arrived: Timestamp) -> Result<Envelope, String> {
    let plain: BTreeMap<String, &str> = headers
        .iter()
        .filter_map(|(name, values)| {
            let name: &str = name.as_ref();
            Some((name.to_ascii_lowercase(), values.last()?.as_str()))
        })
        .collect();
    let is_structured = plain.get(CONTENT_TYPE).is_some_and(|kind| cloudevents::is_structured(kind));
    let message = if is_structured { Message::structured(body)? } else { binary(&plain, body) };
    message.event(arrived)
}

fn binary(headers: &BTreeMap<String, &str>, body: &Bytes) -> Message {
    let attributes = headers
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_owned(), percent::decode(value))));
    Message { attributes: attributes.collect(), data: body.clone() }
}

#[cfg(test)]
mod tests {
    use backbone::cloudevents::event_id;
    use uuid::Uuid;

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
