//! OpenAPI 3.1 from the routes themselves (docs/adr/0002-openapi-from-routes.md): what is mounted
//! is what is described.

use std::collections::BTreeMap;

use backbone::route::Route;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::problem::Wire;

mod components;
mod operation;
mod pages;
#[cfg(test)]
mod tests;

pub use pages::pages;

/// The pseudo-service that the shapes of every service's problems belong to.
const OURS: &str = "problem";

/// The document for the routes of these services.
pub fn openapi<'a>(version: &str, services: impl IntoIterator<Item = (&'static str, &'a [Route])>) -> Value {
    let mut definitions: Vec<(&'static str, Map<String, Value>)> = Vec::new();
    let mut operations: Vec<(&'static str, &'static str, String, Value)> = Vec::new();
    let mut tags = Vec::new();
    for (service, routes) in services {
        let mut generator = generator();
        let described: Vec<_> =
            routes.iter().map(|route| (route, operation::shapes(route, &mut generator))).collect();
        let own = generator.take_definitions(true);
        for (route, shapes) in described {
            let operation = operation::describe(service, route, shapes, &own);
            operations.push((service, route.path, route.method.to_string().to_lowercase(), operation));
        }
        definitions.push((service, own));
        tags.push(json!({"name": service}));
    }
    let mut problems = generator();
    problems.subschema_for::<Wire<'_>>();
    definitions.push((OURS, problems.take_definitions(true)));

    let names = components::names(&definitions);
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for (service, path, method, mut operation) in operations {
        components::rename(&mut operation, service, &names);
        paths.entry(path).or_default().insert(method, operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "a4co marketplace", "version": version},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": components::merged(definitions, &names),
            "responses": {"Problem": {
                "description": "What is wrong and what to do (RFC 9457)",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }},
            "securitySchemes": {
                "person": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "A person's token; the role decides"},
                "service": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "A service's token for this target; its permissions decide"},
            },
        },
    })
}

fn generator() -> schemars::SchemaGenerator {
    let with_path = |settings: &mut SchemaSettings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    };
    SchemaSettings::draft2020_12().with(with_path).into_generator()
}
