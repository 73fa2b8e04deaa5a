//! Whatever was published once is readable for ever.

use std::collections::BTreeSet;
use std::path::PathBuf;

use kernel::{EventType, Personal};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Reader;
use crate::catalogue::READERS;
use crate::{catalogue, user};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The payload kept for `name`.
fn sample(name: &str) -> Value {
    let file = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!(
            "{name} has no payload in the corpus ({error}): write one with every optional field filled in \
             to crates/contracts/corpus/{name}.json, and never change it afterwards",
        )
    });
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("corpus/{name}.json: {error}"))
}

fn samples() -> impl Iterator<Item = (&'static EventType, Reader, Value)> {
    catalogue().iter().zip(READERS).map(|(event, reader)| (event, *reader, sample(event.name)))
}

/// The payload as it is read and written again.
fn recoded(event: &EventType, reader: Reader, payload: &Value) -> Value {
    reader(payload)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}\n{payload}", event.name))
        .payload
}

#[test]
fn every_event_that_was_ever_published_is_read_and_written_again_unchanged() {
    for (event, reader, payload) in samples() {
        assert_eq!(recoded(event, reader, &payload), payload, "{}", event.name);
    }
}

#[test]
fn every_payload_of_the_corpus_has_every_field_in_it() {
    for (event, _, payload) in samples() {
        let found: BTreeSet<&str> = payload.as_object().unwrap().keys().map(String::as_str).collect();
        let wanted: BTreeSet<&str> = event.fields.iter().map(|(field, _)| *field).collect();
        assert_eq!(found, wanted, "corpus/{}.json", event.name);
    }
}

#[test]
fn every_payload_of_the_corpus_still_has_its_type() {
    let known: BTreeSet<String> = catalogue().iter().map(|event| format!("{}.json", event.name)).collect();
    for file in std::fs::read_dir(folder()).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&file), "corpus/{file} was published once: its type stays in the catalogue");
    }
}

#[test]
fn optional_fields_may_be_absent_and_are_not_written_as_null() {
    for (event, reader, mut payload) in samples() {
        for (field, _) in event.fields.iter().filter(|(_, kind)| kind.ends_with('?')) {
            payload.as_object_mut().unwrap().remove(*field);
        }
        assert_eq!(recoded(event, reader, &payload), payload, "{}", event.name);
    }
}

#[test]
fn required_fields_may_not_be_absent() {
    for (event, reader, payload) in samples() {
        for (field, _) in event.fields.iter().filter(|(_, kind)| !kind.ends_with('?')) {
            let mut payload = payload.clone();
            payload.as_object_mut().unwrap().remove(*field);
            assert!(reader(&payload).is_err(), "{} was read without {field}", event.name);
        }
    }
}

/// Puts a field that nobody knows into `value` and all that is in it; money is closed.
fn add_unknown_fields(value: &mut Value) {
    match value {
        Value::Object(fields) if !fields.contains_key("currency") => {
            fields.values_mut().for_each(add_unknown_fields);
            fields.insert("addedLater".to_owned(), json!({"by": "a newer producer"}));
        }
        Value::Array(values) => values.iter_mut().for_each(add_unknown_fields),
        _ => {}
    }
}

#[test]
fn fields_that_a_newer_producer_added_are_ignored() {
    for (event, reader, payload) in samples() {
        let mut newer = payload.clone();
        newer.as_object_mut().unwrap().insert("addedLater".to_owned(), json!(1));
        assert_eq!(recoded(event, reader, &newer), payload, "{}", event.name);
        add_unknown_fields(&mut newer);
        recoded(event, reader, &newer);
    }
}

#[test]
fn an_erased_persons_fields_read_as_redacted() {
    for (event, reader, mut payload) in samples().filter(|(event, ..)| !event.personal.is_empty()) {
        for field in event.personal {
            payload[*field] = json!({"redacted": true});
        }
        assert_eq!(recoded(event, reader, &payload), payload, "{}", event.name);
    }
    let mut payload = sample("user.registered.v1");
    payload["email"] = json!({"redacted": true});
    payload["location"] = json!({"redacted": true});
    let registered: user::Registered = serde_json::from_value(payload).unwrap();
    assert_eq!(registered.email, Personal::Redacted);
    assert_eq!(registered.location, Some(Personal::Redacted));
    assert_eq!(registered.first_name.known().map(String::as_str), Some("Lucía"));
}

#[test]
fn ordering_key_and_person_are_those_that_the_catalogue_names() {
    let id = |payload: &Value, field: &str| -> Uuid { payload[field].as_str().unwrap().parse().unwrap() };
    for (event, reader, payload) in samples() {
        let read = reader(&payload).unwrap();
        assert_eq!(read.subject, id(&payload, event.subject), "{}", event.name);
        let person = event.subject_of_data.map(|field| id(&payload, field));
        assert_eq!(read.person, person, "{}", event.name);
    }
}
