//! Requests of people through an entry, over sockets.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use backbone::route::{Access, Route};
use futures::StreamExt as _;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::gate::{Gate, router_between};
use crate::testing::PlainTokens;

/// The routes of `user`, as every process knows them.
fn routes() -> Vec<Route> {
    let route = |method, path| Route::new(method, path, Access::Public, "Says", get(async || "not here"));
    vec![
        route(Method::POST, "/api/users"),
        route(Method::GET, "/api/users/{id}"),
        route(Method::GET, "/api/users/{id}/stream"),
    ]
}

/// An entry that listens; its address.
async fn entry(replicas: &[&str]) -> String {
    let network = network_of(replicas, 20);
    let forwarder = Forwarder::new(network);
    let tokens = Arc::new(PlainTokens::permitting([]));
    let gate = Gate::new(tokens, World::environment(1));
    let router = router_between([], [("user", forwarder.of("user", routes()))], &gate).unwrap();
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Asks as a client outside would: without the mark of a process.
async fn ask(address: &str, mut request: Request<Body>) -> Response<Incoming> {
    let path = request.uri().path_and_query().unwrap().clone();
    *request.uri_mut() = address.parse::<Address>().unwrap().uri(path);
    let client = Client::builder(OnSpawner(World::environment(1).spawner)).build_http();
    client.request(request).await.unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn problem(address: &str, request: Request<Body>) -> (StatusCode, Value) {
    let response = ask(address, request).await;
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(response.headers().contains_key("x-request-id"));
    (response.status(), serde_json::from_str(&text(response).await).unwrap())
}

fn read(path: &str) -> Request<Body> {
    Request::builder().uri(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_and_is_answered_as_the_service_answers() {
    let echo = post(async |headers: HeaderMap, body: String| {
        let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let headers = ["x-forwarded-for", "authorization", "x-private", "te", "x-request-id", "connection"];
        let said: Vec<_> = headers.iter().map(|name| said(name)).collect();
        (StatusCode::CREATED, [("x-answered", "yes")], json!({"body": body, "headers": said}).to_string())
    });
    let there = listening(Router::new().route("/api/users", echo)).await;
    let request = Request::builder()
        .method(Method::POST)
        .uri("/api/users?x=1")
        .header("authorization", "Bearer a")
        .header("connection", "x-private")
        .header("x-private", "1")
        .header("te", "trailers")
        .header("x-request-id", "r-1")
        .header("x-forwarded-for", "10.0.0.9");
    // The first replica is not there: the body goes to the second one whole.
    let entry = entry(&[&nowhere().await, &there]).await;
    let large = "ñ".repeat(40_000);
    let response = ask(&entry, request.body(Body::from(large.clone())).unwrap()).await;
    assert_eq!(
        (response.status(), &response.headers()["x-answered"]),
        (StatusCode::CREATED, &"yes".parse().unwrap())
    );
    let said: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(said["body"], large);
    assert_eq!(said["headers"], json!(["10.0.0.9, 127.0.0.1", "Bearer a", null, null, "r-1", null]));
}

#[tokio::test]
async fn a_stream_arrives_event_by_event_and_has_no_limit() {
    let (send, receive) = mpsc::unbounded_channel::<u32>();
    let receive = Arc::new(tokio::sync::Mutex::new(Some(receive)));
    let stream = get(async move || {
        let receive = receive.lock().await.take().unwrap();
        let events = futures::stream::unfold(receive, |mut receive| async {
            let number = receive.recv().await?;
            Some((Ok::<_, Infallible>(Event::default().data(number.to_string())), receive))
        });
        Sse::new(events)
    });
    let there = listening(Router::new().route("/api/users/{id}/stream", stream)).await;
    let response = ask(&entry(&[&there]).await, read("/api/users/1/stream")).await;
    let mut body = response.into_body().into_data_stream();
    for number in 1..=3 {
        // Longer than the limit of an answer, twenty times as fast.
        tokio::time::sleep(Duration::from_millis(120)).await;
        send.send(number).unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), format!("data: {number}\n\n"));
    }
}

#[tokio::test]
async fn a_request_is_passed_on_once() {
    // The second entry does not run the service either.
    let there = listening(Router::new().route("/api/users/{id}", get(async || "there"))).await;
    let second = entry(&[&there]).await;
    let first = entry(&[&second]).await;
    assert_eq!(text(ask(&second, read("/api/users/1")).await).await, "there");
    let response = ask(&first, read("/api/users/1")).await;
    assert_eq!(response.status(), StatusCode::LOOP_DETECTED);
    let said: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(said["code"], "passed-on-twice");
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_breaks_off_or_is_silent_is_a_problem() {
    let cut = Raw::saying(&[""]).await.address;
    let silent = listening(Router::new().route("/api/users/{id}", get(std::future::pending::<()>))).await;
    let gone = nowhere().await;
    for (replica, status, code) in
        [(gone, 503, "unavailable"), (cut, 502, "broken-answer"), (silent, 504, "no-answer")]
    {
        let (answered, problem) = problem(&entry(&[&replica]).await, read("/api/users/1")).await;
        assert_eq!((answered.as_u16(), problem["code"].as_str()), (status, Some(code)), "{problem}");
    }
    let (status, problem) = problem(&entry(&[]).await, read("/api/nothing")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("route-unknown")));
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_cut_at_the_limit() {
    let half = get(async || {
        let first = futures::stream::once(async { Ok::<_, Infallible>("half") });
        Body::from_stream(first.chain(futures::stream::pending()))
    });
    let there = listening(Router::new().route("/api/users/{id}", half)).await;
    let response = ask(&entry(&[&there]).await, read("/api/users/1")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.into_body().collect().await.is_err());
}
