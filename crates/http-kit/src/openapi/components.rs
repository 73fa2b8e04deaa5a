//! Shapes of all services under one roof. The same type in several services is one component;
//! different types of equal name are told apart by their service: `order.Line`, `inventory.Line`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

const PLACE: &str = "#/components/schemas/";

/// (service, name in its own definitions) → name in the document.
pub(super) type Names = BTreeMap<(&'static str, String), String>;

/// Decides the names.
pub(super) fn names(definitions: &[(&'static str, Map<String, Value>)]) -> Names {
    let mut by_name: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (_, own) in definitions {
        for (name, schema) in own {
            by_name.entry(name).or_default().push(schema);
        }
    }
    let differs = |schemas: &Vec<&Value>| schemas.windows(2).any(|pair| pair[0] != pair[1]);
    let mut told_apart: BTreeSet<&str> =
        by_name.iter().filter(|(_, schemas)| differs(schemas)).map(|(name, _)| *name).collect();
    // Equal words that refer to something told apart mean different things as well.
    loop {
        let refers =
            |schema: &&Value| references(schema).iter().any(|name| told_apart.contains(name.as_str()));
        let more: Vec<&str> = by_name
            .iter()
            .filter(|(name, schemas)| {
                !told_apart.contains(*name) && schemas.len() > 1 && schemas.iter().any(refers)
            })
            .map(|(name, _)| *name)
            .collect();
        if more.is_empty() {
            break;
        }
        told_apart.extend(more);
    }
    let mut names = Names::new();
    for (service, own) in definitions {
        for name in own.keys() {
            let full = match told_apart.contains(name.as_str()) {
                true => format!("{service}.{name}"),
                false => name.clone(),
            };
            names.insert((*service, name.clone()), full);
        }
    }
    names
}

/// The shapes under their names.
pub(super) fn merged(
    definitions: Vec<(&'static str, Map<String, Value>)>,
    names: &Names,
) -> Map<String, Value> {
    let mut merged = BTreeMap::new();
    for (service, own) in definitions {
        for (name, mut schema) in own {
            rename(&mut schema, service, names);
            let full = names.get(&(service, name.clone())).cloned().unwrap_or(name);
            merged.insert(full, schema);
        }
    }
    merged.into_iter().collect()
}

/// Rewrites the references of `service` to the document's names.
pub(super) fn rename(value: &mut Value, service: &'static str, names: &Names) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get_mut("$ref")
                && let Some(name) = reference.strip_prefix(PLACE)
                && let Some(full) = names.get(&(service, name.to_owned()))
            {
                *reference = format!("{PLACE}{full}");
            }
            fields.values_mut().for_each(|inner| rename(inner, service, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| rename(inner, service, names)),
        _ => {}
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix(PLACE));
            let inner = fields.values().flat_map(references);
            own.map(str::to_owned).into_iter().chain(inner).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// What a schema says once its own reference is followed.
pub(super) fn resolved<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> &'a Value {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix(PLACE));
    name.and_then(|name| definitions.get(name)).unwrap_or(schema)
}
