use axum::Router;
use axum::routing::{get, post, put};
use backbone::collection::ColumnValue;
use backbone::route::{Access, Role, Route};
use backbone::{Rejection, work};
use garde::Validate;
use http::{Method, Request, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

mod rates;
mod replays;
mod traces;

use super::*;
use crate::environment::HandMade;
use crate::page::{decode, encode_cursor};
use crate::testing::{Reply, person, request, send, service, stand};
use crate::{Answer, Body, Idempotency, IfMatch, Origin, PageQuery, UrlPath, UrlQuery};

#[derive(Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Line {
    #[garde(range(min = 1, max = 99))]
    quantity: u32,
}

#[derive(Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PlaceThing {
    #[garde(length(min = 1, max = 40))]
    first_name: String,
    #[garde(dive)]
    items: Vec<Line>,
}

async fn place(
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    key: Idempotency,
    body: Body<PlaceThing>,
) -> Result<Answer, Problem> {
    let key = key.scoped("POST /api/things", &caller, body.fingerprint).map(|key| key.key);
    let said = json!({"name": body.value.first_name, "caller": caller.label(), "key": key,
        "correlation": origin.correlation_id, "causation": origin.causation_id,
        "traceparent": origin.traceparent, "lines": body.value.items.len()});
    Ok(Answer::created("/api/things/1", &said).etag(1))
}

async fn change(_: UrlPath<Uuid>, version: IfMatch, _: bytes::Bytes) -> Result<Answer, Problem> {
    Ok(Answer::no_content().etag(version.required()? + 1))
}

async fn list(UrlQuery(page): UrlQuery<PageQuery>) -> Result<Answer, Problem> {
    page.after()?;
    Ok(Answer::ok(&json!({"limit": page.limit()})))
}

async fn fail(UrlPath(how): UrlPath<String>) -> Problem {
    match how.as_str() {
        "missing" => Rejection::not_found("thing-unknown", "there is no such thing").into(),
        "invalid" => Rejection::invalid("too-many", "take fewer").at("items").into(),
        "conflict" => Rejection::conflict("already-shipped", "it is shipped").into(),
        "stale" => Rejection::new(backbone::RejectionKind::Stale, "stale", "read it again").into(),
        "forbidden" => Rejection::new(backbone::RejectionKind::Forbidden, "not-yours", "not yours").into(),
        "reused" => work::Error::KeyReused.into(),
        "down" => work::Error::Unavailable("disk full at /var/lib".to_owned()).into(),
        "panic" => panic!("on purpose"),
        _ => work::Error::Failed("secret cause".to_owned()).into(),
    }
}

const PEOPLE: Access = Access::People(&[Role::Customer, Role::Admin]);
const BOTH: Access = Access::Both(&[Role::Admin], &["order", "cart"]);
const SERVICES: Access = Access::Services(&["order"]);

fn routes() -> Vec<Route> {
    let ok = || get(async || "ok");
    vec![
        Route::new(Method::POST, "/api/things", PEOPLE, "Places", post(place)).takes::<PlaceThing>(),
        Route::new(Method::PUT, "/api/things/{id}", Access::Public, "Changes", put(change)).body_limit(10),
        Route::new(Method::GET, "/api/things", Access::Public, "Lists", get(list)),
        Route::new(Method::GET, "/fail/{how}", Access::Public, "Fails", get(fail)),
        Route::new(Method::GET, "/people", PEOPLE, "For people", ok()),
        Route::new(Method::GET, "/services", SERVICES, "For services", ok()),
        Route::new(Method::GET, "/both", BOTH, "For both", ok()),
        Route::new(
            Method::GET,
            "/smuggled",
            Access::Public,
            "Takes more than it says",
            ok().post(async || "!"),
        ),
    ]
}

fn things() -> Router {
    stand("thing", routes(), HandMade::running().environment())
}

fn buyer() -> String {
    person(Uuid::from_u128(7), Role::Customer)
}

async fn post_text(body: &str, headers: &[(&str, &str)]) -> Reply {
    post_to(&things(), body, headers).await
}

async fn post_to(router: &Router, body: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::builder().method(Method::POST).uri("/api/things");
    request = request.header("authorization", format!("Bearer {}", buyer()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(router, request.body(axum::body::Body::from(body.to_owned())).unwrap()).await
}

type Header<'a> = (&'a str, &'a str);

const JSON: Header<'_> = ("content-type", "application/json");
const GOOD: &str = r#"{"firstName":"Ana","items":[{"quantity":1}]}"#;

#[tokio::test]
async fn a_bad_body_is_refused_with_a_status_a_code_the_field_and_a_remedy() {
    let long = format!(r#"{{"firstName":"{}","items":[]}}"#, "a".repeat(300_000));
    let name = "a".repeat(41);
    let too_long_name = format!(r#"{{"firstName":"{name}","items":[]}}"#);
    #[rustfmt::skip]
    let table: &[(&str, u16, &str, &str, &str)] = &[
        ("", 400, "json-malformed", "", "empty"),
        ("{\n  \"firstName\": \"A\",\n  \"items\": [}", 400, "json-malformed", "items[0]", "line 3, column 13"),
        (r#"{"firstName":"A","items":[]} x"#, 400, "json-malformed", "", "line 1"),
        (r#"{"firstName":"A","items":[],"colour":1}"#, 422, "field-unknown", "colour", "the fields here are `firstName`"),
        (r#"{"firstName":"A","items":[{"quantity":1,"x":2}]}"#, 422, "field-unknown", "items[0].x", "`quantity`"),
        (r#"{"items":[]}"#, 422, "field-missing", "firstName", "required"),
        (r#"{"firstName":"A","items":[{}]}"#, 422, "field-missing", "items[0].quantity", "required"),
        (r#"{"firstName":"A","items":[{"quantity":"2"}]}"#, 422, "field-invalid", "items[0].quantity", "expected u32"),
        (r#"{"firstName":"A","items":[],"items":[]}"#, 422, "field-duplicate", "items", "once"),
        (r#"{"firstName":"A","items":[{"quantity":1},{"quantity":100}]}"#, 422, "field-invalid", "items[1].quantity", "greater than 99"),
        (&too_long_name, 422, "field-invalid", "firstName", "greater than 40"),
        (r#"{"firstName":"4111 1111 1111 1111","items":[]}"#, 422, "card-number-refused", "", "token"),
        (r#"["A",[]]"#, 422, "body-not-an-object", "", "JSON object"),
        (&long, 413, "body-too-large", "", "262144 bytes"),
    ];
    for (body, status, code, field, words) in table {
        let reply = post_text(body, &[JSON]).await;
        let start: String = body.chars().take(80).collect();
        assert_eq!((reply.status.as_u16(), reply.code()), (*status, *code), "{start}: {:?}", reply.body);
        if !field.is_empty() {
            assert_eq!(reply.body["errors"][0]["field"], *field, "{start}: {:?}", reply.body);
        }
        assert!(reply.body.to_string().contains(words), "{start}: {:?}", reply.body);
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        assert_eq!(reply.body["status"], *status);
        assert!(reply.body["instance"].as_str().unwrap().starts_with("urn:uuid:"));
    }
}

#[tokio::test]
async fn bad_headers_queries_paths_and_methods_are_problems_too() {
    let key = "k".repeat(129);
    #[rustfmt::skip]
    let bodies: &[(&[Header<'_>], u16, &str)] = &[
        (&[], 415, "content-type-not-json"),
        (&[("content-type", "text/plain")], 415, "content-type-not-json"),
        (&[JSON, ("idempotency-key", "two words")], 400, "idempotency-key-malformed"),
        (&[JSON, ("idempotency-key", "")], 400, "idempotency-key-malformed"),
        (&[JSON, ("idempotency-key", &key)], 400, "idempotency-key-malformed"),
    ];
    for (headers, status, code) in bodies {
        let reply = post_text(GOOD, headers).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (*status, *code), "{headers:?}");
    }
    let thing = "/api/things/01941f29-7c00-7000-8000-000000000001";
    #[rustfmt::skip]
    let others: &[(Method, &str, Option<Header<'_>>, u16, &str)] = &[
        (Method::GET, "/nowhere", None, 404, "route-unknown"),
        (Method::DELETE, "/api/things", None, 405, "method-not-allowed"),
        (Method::POST, "/smuggled", None, 405, "method-not-allowed"),
        (Method::GET, "/api/things?limit=many", None, 422, "field-invalid"),
        (Method::GET, "/api/things?colour=1", None, 422, "field-unknown"),
        (Method::GET, "/api/things?cursor=abc", None, 400, "cursor-malformed"),
        (Method::GET, "/api/things?cursor=4111111111111111", None, 422, "card-number-refused"),
        (Method::PUT, "/api/things/seven", None, 400, "path-invalid"),
        (Method::PUT, thing, None, 428, "if-match-missing"),
        (Method::PUT, thing, Some(("if-match", "W/\"3\"")), 400, "if-match-malformed"),
        (Method::PUT, thing, Some(("if-match", "*")), 400, "if-match-malformed"),
        (Method::GET, "/fail/missing", None, 404, "thing-unknown"),
        (Method::GET, "/fail/invalid", None, 422, "too-many"),
        (Method::GET, "/fail/conflict", None, 409, "already-shipped"),
        (Method::GET, "/fail/stale", None, 412, "stale"),
        (Method::GET, "/fail/forbidden", None, 403, "not-yours"),
        (Method::GET, "/fail/reused", None, 409, "idempotency-key-reused"),
        (Method::GET, "/fail/down", None, 503, "unavailable"),
        (Method::GET, "/fail/defect", None, 500, "defect"),
        (Method::GET, "/fail/panic", None, 500, "defect"),
    ];
    for (method, path, header, status, code) in others {
        let mut request = request(method.clone(), path, None, None);
        if let Some((name, value)) = header {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let reply = send(&things(), request).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code()),
            (*status, *code),
            "{method} {path}: {:?}",
            reply.body
        );
        assert_eq!(reply.headers["content-type"], "application/problem+json", "{method} {path}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{method} {path}");
        let said = reply.body.to_string();
        assert!(!said.contains("secret") && !said.contains("/var/lib") && !said.contains("4111"), "{said}");
        match status {
            503 => assert_eq!(reply.headers["retry-after"], "1"),
            405 if *path == "/api/things" => {
                let allow = reply.headers["allow"].to_str().unwrap();
                assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_routes_own_body_limit_counts() {
    let mut request = request(Method::PUT, "/api/things/01941f29-7c00-7000-8000-000000000001", None, None);
    *request.body_mut() = axum::body::Body::from("12345678901");
    assert_eq!(send(&things(), request).await.code(), "body-too-large");
}

#[tokio::test]
async fn a_route_is_open_to_whom_it_names_and_to_nobody_else() {
    let (customer, artisan) = (buyer(), person(Uuid::from_u128(8), Role::Artisan));
    let admin = person(Uuid::from_u128(9), Role::Admin);
    let (order, chat, astray) =
        (service("order", "thing"), service("chat", "thing"), service("order", "user"));
    #[rustfmt::skip]
    let table: &[(&str, Option<&str>, u16, &str)] = &[
        ("/api/things", None, 200, ""),
        ("/api/things", Some(&customer), 200, ""),
        ("/api/things", Some("forged"), 401, "token-invalid"),
        ("/people", None, 401, "token-missing"),
        ("/people", Some(&customer), 200, ""),
        ("/people", Some(&admin), 200, ""),
        ("/people", Some(&artisan), 403, "role-not-allowed"),
        ("/people", Some(&order), 403, "service-not-allowed"),
        ("/people", Some("forged"), 401, "token-invalid"),
        ("/services", None, 401, "token-missing"),
        ("/services", Some(&order), 200, ""),
        ("/services", Some(&chat), 403, "service-not-allowed"),
        ("/services", Some(&astray), 401, "token-invalid"),
        ("/services", Some(&admin), 403, "role-not-allowed"),
        ("/both", Some(&order), 200, ""),
        ("/both", Some(&admin), 200, ""),
        ("/both", Some(&customer), 403, "role-not-allowed"),
    ];
    for (path, token, status, code) in table {
        let reply = send(&things(), request(Method::GET, path, *token, None)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (*status, *code), "{path} {token:?}");
        assert_eq!(reply.status == 401, reply.headers.contains_key("www-authenticate"), "{path} {token:?}");
    }
}

#[tokio::test]
async fn a_service_without_the_permission_is_refused_though_the_route_names_it() {
    let tokens = crate::testing::PlainTokens::permitting(["call:GET /both".to_owned()]);
    let gate = Gate::new(Arc::new(tokens), HandMade::running().environment());
    let router = router([("thing", routes())], &gate).unwrap();
    let token = service("order", "thing");
    let reply = send(&router, request(Method::GET, "/services", Some(&token), None)).await;
    assert_eq!((reply.status, reply.code()), (StatusCode::FORBIDDEN, "permission-missing"));
    assert_eq!(send(&router, request(Method::GET, "/both", Some(&token), None)).await.status, 200);
}

#[tokio::test]
async fn a_request_keeps_the_ids_it_brings_and_gets_those_it_lacks() {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let traceparent = format!("00-{trace}-b7ad6b7169203331-01");
    let ids = [JSON, ("x-request-id", "r-1"), ("x-correlation-id", "flow-1"), ("traceparent", &traceparent)];
    let reply = post_text(GOOD, &ids).await;
    assert_eq!(reply.status, 201, "{:?}", reply.body);
    assert_eq!(reply.headers["location"], "/api/things/1");
    assert_eq!(reply.headers["etag"], "\"1\"");
    assert_eq!(reply.headers["x-request-id"], "r-1");
    assert_eq!((&reply.body["correlation"], &reply.body["causation"]), (&json!("flow-1"), &json!("r-1")));
    assert_eq!(reply.body["traceparent"], traceparent, "what keeps no span passes the context on as it is");

    let reply = post_text(GOOD, &[JSON, ("traceparent", &traceparent), ("x-request-id", "a b\"c")]).await;
    assert_eq!(reply.body["correlation"], Uuid::parse_str(trace).unwrap().to_string());
    assert!(reply.body["causation"].as_str().unwrap().starts_with("0190"), "{:?}", reply.body);

    let reply = post_text(GOOD, &[JSON, ("traceparent", "00-00000000000000000000000000000000-0-01")]).await;
    let correlation = reply.body["correlation"].as_str().unwrap().replace('-', "");
    assert!(reply.body["traceparent"].as_str().unwrap().contains(&correlation), "{:?}", reply.body);
}

#[tokio::test]
async fn an_idempotency_key_is_scoped_to_route_and_caller() {
    let reply = post_text(GOOD, &[JSON, ("idempotency-key", "abc")]).await;
    let caller = Uuid::from_u128(7);
    assert_eq!(reply.body["key"], format!("POST /api/things|person:{caller}|abc"));
    assert_eq!(reply.body["caller"], format!("person:{caller}"));
    assert_eq!(post_text(GOOD, &[JSON]).await.body["key"], json!(null));
}

#[tokio::test]
async fn a_title_is_in_the_language_asked_for_and_the_code_is_not() {
    for (wanted, title) in
        [("es-ES,es;q=0.9,en;q=0.8", "No encontrado"), ("en", "Not found"), ("fr", "Not found")]
    {
        let mut request = request(Method::GET, "/fail/missing", None, None);
        request.headers_mut().insert("accept-language", wanted.parse().unwrap());
        let reply = send(&things(), request).await;
        assert_eq!((&reply.body["title"], reply.code()), (&json!(title), "thing-unknown"), "{wanted}");
    }
}

#[test]
fn routes_that_do_not_fit_together_are_refused_at_start_by_name() {
    let route = |method: Method, path: &'static str| {
        Route::new(method, path, Access::Public, "Is there", get(async || "ok"))
    };
    let gate =
        Gate::new(Arc::new(crate::testing::PlainTokens::permitting([])), HandMade::running().environment());
    let refusal = |first, second| {
        router([("a", vec![first]), ("b", vec![second])], &gate).map(|_| ()).unwrap_err().to_string()
    };
    let twice = refusal(route(Method::GET, "/x/{id}"), route(Method::GET, "/x/{id}"));
    assert_eq!(twice, "GET /x/{id} is declared by a and by b: remove one");
    let named = refusal(route(Method::GET, "/x/{id}"), route(Method::POST, "/x/{name}"));
    assert!(named.starts_with("b declares /x/{name}, which stands as /x/{id}"), "{named}");
    assert!(refusal(route(Method::GET, "x"), route(Method::GET, "/y")).starts_with("a declares x:"));
}

#[test]
fn cursors_come_back_as_they_were() {
    let money = kernel::Money::eur(5);
    for value in [
        ColumnValue::Null,
        ColumnValue::Text("ñ".to_owned()),
        ColumnValue::Integer(-1),
        ColumnValue::Bool(true),
        ColumnValue::Timestamp(kernel::Timestamp::from_micros(5)),
        ColumnValue::Uuid(Uuid::from_u128(1)),
        ColumnValue::Money(money),
    ] {
        let cursor = encode_cursor(&value, "id-1");
        assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{cursor}");
        assert_eq!(decode(&cursor).unwrap(), (value, "id-1".to_owned()));
    }
}
