use axum::routing::{get, post};
use backbone::route::{Access, Role};
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::environment::HandMade;
use crate::testing::{request, send, stand};

mod order {
    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase")]
    #[allow(dead_code)]
    pub(super) struct Line {
        quantity: u32,
    }

    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code)]
    pub(super) struct Place {
        lines: Vec<Line>,
        total: kernel::Money,
    }

    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code)]
    pub(super) struct Find {
        /// Where it is.
        state: Option<String>,
        page: u32,
    }
}

mod stock {
    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code)]
    pub(super) struct Line {
        product: uuid::Uuid,
    }

    /// Words like the order's, but its lines are others.
    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code)]
    pub(super) struct Place {
        lines: Vec<Line>,
        total: kernel::Money,
    }
}

fn document() -> Value {
    let people = Access::Both(&[Role::Customer], &["cart"]);
    let handler = || post(async || "ok");
    let orders = [
        Route::new(Method::POST, "/api/orders", people, "Places an order", handler()).takes::<order::Place>(),
        Route::new(Method::GET, "/api/orders/{id}", Access::Public, "Reads an order", get(async || "ok"))
            .query::<order::Find>()
            .gives::<order::Place>(),
    ];
    let stock =
        [Route::new(Method::POST, "/api/stock", Access::Services(&["order"]), "Moves stock", handler())
            .takes::<stock::Place>()];
    openapi("1.0.0", [("order", orders.as_slice()), ("inventory", stock.as_slice())])
}

#[test]
fn the_document_says_what_the_routes_say() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let place = &document["paths"]["/api/orders"]["post"];
    assert_eq!(
        *place,
        json!({
            "operationId": "order-post-api-orders",
            "tags": ["order"],
            "summary": "Places an order",
            "parameters": [{
                "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "The same key does the same thing once; repeat it when you try again",
                "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
            }],
            "requestBody": {"required": true, "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/order.Place"}},
            }},
            "responses": {
                "2XX": {"description": "Places an order"},
                "400": {"$ref": "#/components/responses/Problem"},
                "401": {"$ref": "#/components/responses/Problem"},
                "403": {"$ref": "#/components/responses/Problem"},
                "413": {"$ref": "#/components/responses/Problem"},
                "415": {"$ref": "#/components/responses/Problem"},
                "422": {"$ref": "#/components/responses/Problem"},
                "default": {"$ref": "#/components/responses/Problem"},
            },
            "security": [{"person": []}, {"service": []}],
            "x-roles": ["customer"],
            "x-services": ["cart"],
        })
    );
    let read = &document["paths"]["/api/orders/{id}"]["get"];
    assert_eq!(read["security"], json!([]));
    let parameters: Vec<_> = read["parameters"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(parameters, ["id", "page", "state"]);
    assert_eq!(read["parameters"][2]["description"], "Where it is.");
    assert_eq!(read["parameters"][1]["required"], true);
}

#[test]
fn types_of_equal_name_are_one_component_only_where_they_are_the_same() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let names: Vec<&str> = schemas.keys().map(String::as_str).collect();
    let expected = [
        "Currency",
        "FieldError",
        "Find",
        "Money",
        "Problem",
        "inventory.Line",
        "inventory.Place",
        "order.Line",
        "order.Place",
    ];
    assert_eq!(names, expected);
    let lines = |name: &str| &schemas[name]["properties"]["lines"]["items"]["$ref"];
    assert_eq!(lines("order.Place"), "#/components/schemas/order.Line");
    assert_eq!(lines("inventory.Place"), "#/components/schemas/inventory.Line");
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, document: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
                }
                fields.values().for_each(|inner| walk(inner, document));
            }
            Value::Array(items) => items.iter().for_each(|inner| walk(inner, document)),
            _ => {}
        }
    }
    let document = document();
    walk(&document, &document);
}

#[tokio::test]
async fn the_page_is_served_without_inline_script_or_style() {
    let router = stand("docs", pages(document), HandMade::running().environment());
    let read = async |path: &str| send(&router, request(Method::GET, path, None, None)).await;
    assert_eq!(read("/openapi.json").await.body["openapi"], "3.1.0");
    let page = read("/docs").await;
    let html = page.body.as_str().unwrap();
    assert!(!html.contains("style=") && !html.contains("onclick") && !html.contains("<style"));
    assert!(html.contains("<script src=\"/docs/docs.js\" defer></script>"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(read("/docs/docs.js").await.headers["content-type"], "text/javascript");
    assert_eq!(read("/docs/docs.css").await.status, 200);
}
