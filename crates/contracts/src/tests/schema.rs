//! The JSON Schemas say what the catalogue says.

use std::collections::BTreeSet;

use kernel::Event;
use serde_json::Value;

use crate::{catalogue, find, inventory, named_types, payment, schema};

type Names = BTreeSet<String>;

fn properties(schema: &Value) -> Names {
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

fn required(schema: &Value) -> Names {
    let names = schema["required"].as_array().into_iter().flatten();
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn declared(fields: &[(&str, &str)], wanted: fn(&str) -> bool) -> Names {
    fields.iter().filter(|(_, kind)| wanted(kind)).map(|(field, _)| (*field).to_owned()).collect()
}

#[test]
fn every_event_has_a_schema_with_its_fields_of_which_the_optional_are_not_required() {
    for event in catalogue() {
        let schema = schema(event.name).unwrap().to_value();
        assert_eq!(schema["$id"], format!("/schemas/{}", event.name));
        assert_eq!(schema["title"], event.name);
        assert_eq!(properties(&schema), declared(event.fields, |_| true), "{}", event.name);
        assert_eq!(required(&schema), declared(event.fields, |kind| !kind.ends_with('?')), "{}", event.name);
    }
    assert!(schema("order.forgotten.v1").is_none() && find("order.forgotten.v1").is_none());
}

#[test]
fn the_named_types_of_a_schema_have_the_fields_of_the_table() {
    let mut seen = BTreeSet::new();
    for event in catalogue() {
        let schema = schema(event.name).unwrap().to_value();
        let definitions = schema["$defs"].as_object().cloned().unwrap_or_default();
        for named in named_types().iter().filter(|named| named.values.is_empty()) {
            let Some(definition) = definitions.get(named.name) else { continue };
            seen.insert(named.name);
            assert_eq!(properties(definition), declared(named.fields, |_| true), "{}", named.name);
            let wanted = declared(named.fields, |kind| !kind.ends_with('?'));
            assert_eq!(required(definition), wanted, "{}", named.name);
        }
    }
    assert_eq!(seen.len(), named_types().len() - 1, "every named type is used by some event");
}

#[test]
fn an_enumeration_is_written_as_its_values() {
    for priority in inventory::Priority::ALL {
        assert_eq!(serde_json::to_value(priority).unwrap(), priority.as_str());
        assert_eq!(
            serde_json::from_str::<inventory::Priority>(&format!("\"{priority}\"")).unwrap(),
            *priority
        );
    }
    assert!(inventory::Priority::Vip > inventory::Priority::High);
}

#[test]
fn a_name_that_serde_would_write_differently_is_kept() {
    let fields = payment::MethodValidated::TYPE.fields;
    assert!(fields.contains(&("requires3DS", "bool?")), "{fields:?}");
}
