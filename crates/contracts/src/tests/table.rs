//! The catalogue says what `events.toml` says, field by field and both ways.

use std::collections::BTreeMap;

use kernel::{EventType, Money};

use crate::catalogue::RUST_NAMES;
use crate::{catalogue, find, named_types};

#[derive(PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(rename = "type")]
    name: String,
    subject: String,
    producer: String,
    consumers: Vec<String>,
    data: toml::Table,
    #[serde(default)]
    personal: Vec<String>,
    subject_of_data: Option<String>,
    #[serde(rename = "seeds")]
    _seeds: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    #[serde(default)]
    fields: toml::Table,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    event: Vec<Row>,
    #[serde(rename = "type")]
    named: Vec<Named>,
}

fn table() -> Table {
    toml::from_str(include_str!("../../events.toml")).expect("events.toml has the shape of this test")
}

/// Fields as text, one a line: a difference is seen at a glance.
fn text<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    fields.into_iter().map(|(name, kind)| format!("{name} = {kind}\n")).collect()
}

fn written(fields: &toml::Table) -> String {
    text(fields.iter().map(|(name, kind)| (name.as_str(), kind.as_str().expect("types are strings"))))
}

fn row_of(event: &EventType) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("subject", event.subject.to_owned()),
        ("producer", event.producer.to_owned()),
        ("consumers", event.consumers.join(" ")),
        ("data", text(event.fields.iter().copied())),
        ("personal", event.personal.join(" ")),
        ("subject_of_data", event.subject_of_data.unwrap_or_default().to_owned()),
    ])
}

fn row_in_table(row: &Row) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("subject", row.subject.clone()),
        ("producer", row.producer.clone()),
        ("consumers", row.consumers.join(" ")),
        ("data", written(&row.data)),
        ("personal", row.personal.join(" ")),
        ("subject_of_data", row.subject_of_data.clone().unwrap_or_default()),
    ])
}

#[test]
fn the_catalogue_has_the_events_of_the_table_and_no_others_in_its_order() {
    let table = table();
    let wanted: Vec<&str> = table.event.iter().map(|row| row.name.as_str()).collect();
    let found: Vec<&str> = catalogue().iter().map(|event| event.name).collect();
    let missing: Vec<&&str> = wanted.iter().filter(|name| !found.contains(name)).collect();
    let extra: Vec<&&str> = found.iter().filter(|name| !wanted.contains(name)).collect();
    assert!(missing.is_empty(), "add to src/catalogue.rs: {missing:?}");
    assert!(extra.is_empty(), "add to events.toml: {extra:?}");
    assert_eq!(found, wanted, "src/catalogue.rs and events.toml list events once each, in one order");
}

#[test]
fn every_event_is_what_the_table_says() {
    for row in table().event {
        let event = find(&row.name).unwrap_or_else(|| panic!("add to src/catalogue.rs: {}", row.name));
        let (wanted, found) = (row_in_table(&row), row_of(event));
        for (column, wanted) in wanted {
            assert_eq!(found[column], wanted, "{column} of {}: left is Rust, right is events.toml", row.name);
        }
    }
}

#[test]
fn every_event_stands_in_the_file_of_its_context_under_the_name_of_its_type() {
    assert_eq!(expected("inventory.purchase-order.created.v1"), "contracts::inventory::PurchaseOrderCreated");
    for (event, rust_name) in catalogue().iter().zip(RUST_NAMES) {
        assert_eq!(rust_name(), expected(event.name));
    }
}

fn expected(name: &str) -> String {
    let mut words = name.split(['.', '-']);
    let context = words.next().unwrap_or_default();
    let pascal: String =
        words.filter(|word| *word != "v1").map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    format!("contracts::{context}::{pascal}")
}

#[test]
fn every_named_type_is_what_the_table_says() {
    let wanted: Vec<(String, String, String)> = table()
        .named
        .iter()
        .map(|named| (named.name.clone(), written(&named.fields), named.values.join("|")))
        .collect();
    let found: Vec<(String, String, String)> = named_types()
        .iter()
        .map(|named| (named.name.to_owned(), text(named.fields.iter().copied()), named.values.to_owned()))
        .collect();
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found, wanted, "left is Rust, right is events.toml");
    }
    assert_eq!(found.len(), wanted.len(), "a named type is missing in src/catalogue.rs or in events.toml");
}

#[test]
fn money_is_written_as_the_table_says() {
    let money = serde_json::to_value(Money::eur(1_250)).unwrap();
    assert_eq!(money, serde_json::json!({"amount": 1250, "currency": "EUR"}));
}
