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

fn sent(pairs: &[(&str, &str)], content: Option<&str>) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in pairs {
        headers.insert((*name).into(), text(value));
    }
    let properties = BasicProperties::default().with_headers(headers);
    match content {
        Some(kind) => properties.with_content_type(kind.into()),
        None => properties,
    }
}

/// What any CloudEvents library reads: names, values and their form are fixed for ever.
#[test]
fn an_event_has_the_headers_of_the_binding() {
    let properties = encode(&event(), Some(77), 12);
    let mut found: Vec<String> =
        lines(&properties).into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    found.sort();
    let golden = [
        "a4co-order: 12",
        "a4co-position: 77",
        "cloudEvents:causationid: place-order",
        "cloudEvents:correlationid: a flow, ñ",
        "cloudEvents:dataschema: /schemas/order.created.v1",
        "cloudEvents:id: 01900000-0000-7000-8000-000000000001",
        "cloudEvents:keyid: master-1",
        "cloudEvents:sequence: 3001",
        "cloudEvents:source: order",
        "cloudEvents:specversion: 1.0",
        "cloudEvents:subject: 01900000-0000-7000-8000-00000000000a",
        "cloudEvents:time: 2025-11-22T08:26:40.123456Z",
        "cloudEvents:traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "cloudEvents:type: order.created.v1",
        "content-type: application/json",
    ];
    assert_eq!(found, golden);
    assert_eq!(*properties.delivery_mode(), Some(2), "it survives a restart");
    assert_eq!((number(&properties, SENT), number(&properties, POSITION)), (Some(12), Some(77)));
    assert_eq!(source(&properties).as_deref(), Some("order"));
}

#[test]
fn an_event_survives_being_written_and_read() {
    let plain = Envelope { traceparent: None, key_id: None, ..event() };
    for event in [event(), plain] {
        assert_eq!(decode(&encode(&event, None, 1), &event.data, arrived()), Ok(event));
    }
}

#[test]
fn the_least_that_another_client_sends_is_an_event() {
    for prefix in ["cloudEvents:", "cloudEvents_"] {
        let least = [("specversion", "1.0"), ("id", "A234-1234"), ("source", "till"), ("type", "a.b.v1")];
        let named = least.map(|(name, value)| (format!("{prefix}{name}"), value));
        let named: Vec<(&str, &str)> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let read = decode(&sent(&named, None), &Bytes::from_static(b"{}"), arrived());
        let read = read.expect("it is an event");
        assert_eq!(read.id, event_id("till", "A234-1234"));
        assert_ne!(read.id, event_id("till 2", "A234-1234"));
        assert_eq!((read.subject.as_str(), read.correlation_id.as_str()), ("A234-1234", "A234-1234"));
        assert_eq!((read.causation_id.as_str(), read.sequence), ("A234-1234", 0));
        assert_eq!((read.time, read.traceparent, read.key_id), (arrived(), None, None));
    }
}

#[test]
fn an_event_in_structured_mode_is_read_as_well() {
    let sent = sent(&[], Some("application/cloudevents+json; charset=utf-8"));
    let body = r#"{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000001","source":"till",
        "type":"order.created.v1","time":"2025-11-22T08:26:40Z","sequence":5,"keyid":null,
        "data":{"total":12.50}}"#;
    let read = decode(&sent, &Bytes::from_static(body.as_bytes()), arrived()).expect("it is an event");
    assert_eq!((read.id, read.sequence), (event().id, 5));
    assert_eq!((&read.data[..], read.key_id), (&br#"{"total":12.50}"#[..], None));
}

#[test]
fn what_is_no_event_says_why() {
    const WHOLE: [(&str, &str); 4] = [
        ("cloudEvents:specversion", "1.0"),
        ("cloudEvents:id", "1"),
        ("cloudEvents:source", "s"),
        ("cloudEvents:type", "a.b.v1"),
    ];
    let old = [("cloudEvents:specversion", "0.3")];
    let time = [("cloudEvents:time", "yesterday")];
    let sequence = [("cloudEvents:sequence", "first")];
    type Pairs<'p> = Vec<(&'p str, &'p str)>;
    let cases: Vec<(Pairs<'_>, Option<&str>, &str)> = vec![
        (Vec::new(), None, "specversion"),
        (WHOLE[..3].to_vec(), None, "`type`"),
        ([&WHOLE[1..], &old].concat(), None, "0.3"),
        ([&WHOLE[..], &time].concat(), None, "yesterday"),
        ([&WHOLE[..], &sequence].concat(), None, "first"),
        (WHOLE.to_vec(), Some("application/avro"), "avro"),
        (Vec::new(), Some("application/cloudevents+json"), "JSON"),
    ];
    for (pairs, content, names) in cases {
        let found = decode(&sent(&pairs, content), &Bytes::from_static(b"{"), arrived());
        let reason = found.expect_err(names);
        assert!(reason.contains(names), "{reason}");
    }
}
