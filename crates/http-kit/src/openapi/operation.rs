//! One route as an OpenAPI operation.

use backbone::route::{Access, Role, Route};
use http::Method;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::components::resolved;

/// The shapes of a route.
pub(super) struct Shapes {
    query: Option<Value>,
    request: Option<Value>,
    response: Option<Value>,
}

/// Asks the route for its shapes; what they refer to is left in the generator.
pub(super) fn shapes(route: &Route, generator: &mut SchemaGenerator) -> Shapes {
    Shapes {
        query: route.query.map(|shape| shape(generator).to_value()),
        request: route.request.map(|shape| shape(generator).to_value()),
        response: route.response.map(|shape| shape(generator).to_value()),
    }
}

/// The operation, with references as in `definitions`.
pub(super) fn describe(
    service: &'static str,
    route: &Route,
    shapes: Shapes,
    definitions: &Map<String, Value>,
) -> Value {
    let mut parameters = path_parameters(route.path);
    if let Some(query) = &shapes.query {
        parameters.extend(query_parameters(resolved(query, definitions)));
    }
    parameters.extend(header_parameters(route));
    let mut operation = json!({
        "operationId": operation_id(service, route),
        "tags": [service],
        "summary": route.summary,
        "responses": responses(route, shapes.response),
        "security": security(route.access),
    });
    let (roles, services) = parties(route.access);
    let fields = operation.as_object_mut().expect("an operation is an object");
    if !parameters.is_empty() {
        fields.insert("parameters".to_owned(), parameters.into());
    }
    if let Some(schema) = shapes.request {
        let body = json!({"required": true, "content": {"application/json": {"schema": schema}}});
        fields.insert("requestBody".to_owned(), body);
    }
    if !roles.is_empty() {
        fields.insert("x-roles".to_owned(), json!(roles));
    }
    if !services.is_empty() {
        fields.insert("x-services".to_owned(), json!(services));
    }
    operation
}

fn operation_id(service: &str, route: &Route) -> String {
    let words = route.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let path = words.collect::<Vec<_>>().join("-");
    format!("{service}-{}-{path}", route.method.as_str().to_lowercase())
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter =
        |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    names.map(parameter).collect()
}

fn query_parameters(shape: &Value) -> Vec<Value> {
    let required: Vec<&str> = shape
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = shape.get("properties").and_then(Value::as_object).into_iter().flatten();
    let parameter = |(name, schema): (&String, &Value)| {
        let required = required.contains(&name.as_str());
        let mut parameter = json!({"name": name, "in": "query", "required": required, "schema": schema});
        if let Some(description) = schema.get("description") {
            parameter["description"] = description.clone();
        }
        parameter
    };
    properties.map(parameter).collect()
}

fn header_parameters(route: &Route) -> Option<Value> {
    let (name, description, pattern) = match &route.method {
        method if method == Method::POST && route.request.is_some() => (
            "Idempotency-Key",
            "The same key does the same thing once; repeat it when you try again",
            "^[!-~]{1,128}$",
        ),
        method if method == Method::PUT || method == Method::PATCH => {
            ("If-Match", "The ETag of what you read and now change", "^\"[0-9]+\"$")
        }
        _ => return None,
    };
    let schema = json!({"type": "string", "pattern": pattern});
    Some(
        json!({"name": name, "in": "header", "required": false, "description": description, "schema": schema}),
    )
}

fn responses(route: &Route, response: Option<Value>) -> Value {
    let mut good = json!({"description": route.summary});
    if let Some(schema) = response {
        good["content"] = json!({"application/json": {"schema": schema}});
    }
    let problem = json!({"$ref": "#/components/responses/Problem"});
    let mut responses = Map::new();
    responses.insert("2XX".to_owned(), good);
    let guarded: &[&str] = if route.access == Access::Public { &[] } else { &["401", "403"] };
    let with_body: &[&str] = if route.request.is_some() { &["400", "413", "415", "422"] } else { &[] };
    for status in guarded.iter().chain(with_body).chain(&["default"]) {
        responses.insert((*status).to_owned(), problem.clone());
    }
    responses.into()
}

fn parties(access: Access) -> (&'static [Role], &'static [&'static str]) {
    match access {
        Access::Public => (&[], &[]),
        Access::People(roles) => (roles, &[]),
        Access::Services(services) => (&[], services),
        Access::Both(roles, services) => (roles, services),
    }
}

fn security(access: Access) -> Value {
    let (roles, services) = parties(access);
    let mut ways = Vec::new();
    if !roles.is_empty() {
        ways.push(json!({"person": []}));
    }
    if !services.is_empty() {
        ways.push(json!({"service": []}));
    }
    ways.into()
}
