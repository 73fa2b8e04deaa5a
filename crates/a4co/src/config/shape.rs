//! The shape of the settings, read from their own types: descriptions, limits, and which texts are
//! secrets. So neither the printed file nor the reading of secrets has a list that could be forgotten.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Settings;

/// The shape of everything.
pub(super) fn of_settings() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Settings>().to_value()
}

/// The shape of what stands under a key; maps give all their keys the same.
pub(super) fn child<'s>(shape: &'s Value, key: &str) -> Option<&'s Value> {
    let named = shape.get("properties").and_then(|properties| properties.get(key));
    named.or_else(|| shape.get("additionalProperties").filter(|rest| rest.is_object()))
}

/// The shape of a list's elements.
pub(super) fn element(shape: &Value) -> Option<&Value> {
    shape.get("items")
}

/// True for texts that must not be shown.
pub(super) fn is_secret(shape: &Value) -> bool {
    any(shape, &|shape| shape.get("writeOnly") == Some(&Value::Bool(true)))
}

/// True where a text is wanted, whatever it looks like.
pub(super) fn is_text(shape: &Value) -> bool {
    any(shape, &|shape| match shape.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
        kind => kind.is_some_and(|kind| kind == "string"),
    })
}

fn any(shape: &Value, holds: &dyn Fn(&Value) -> bool) -> bool {
    let choices = shape.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    holds(shape) || choices.into_iter().any(holds)
}

/// What is said of a value: its description, a line each, and its limits.
pub(super) fn remarks(shape: &Value) -> Vec<String> {
    let description = shape.get("description").and_then(Value::as_str).unwrap_or_default();
    let mut lines: Vec<String> = description.lines().map(str::to_owned).collect();
    let limit = |name: &str| shape.get(name).and_then(Value::as_i64);
    match (limit("minimum"), limit("maximum")) {
        (Some(min), Some(max)) => lines.push(format!("From {min} to {max}.")),
        (None, Some(max)) => lines.push(format!("At most {max}.")),
        _ => {}
    }
    lines
}
