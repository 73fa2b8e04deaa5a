use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::{Value, json};

use super::*;

fn echo() -> Router {
    let echo = |request: Request| async move {
        let header = |name: &str| {
            request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let seen = json!({
            "path": request.uri().to_string(),
            "token": header("authorization"),
            "key": header("idempotency-key"),
            "type": header("content-type"),
        });
        axum::Json(seen)
    };
    Router::new().route("/api/echo", post(echo)).route(
        "/api/no",
        get(async || (StatusCode::CONFLICT, r#"{"code":"too-late","detail":"it has left"}"#.to_owned())),
    )
}

async fn served(router: Router) -> Socket {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Socket::new(&format!("http://{address}")).unwrap()
}

async fn both() -> Vec<Arc<dyn Api>> {
    vec![Arc::new(InMemory::new(echo())), Arc::new(served(echo()).await)]
}

#[tokio::test]
async fn a_call_arrives_the_same_over_a_socket_and_in_memory() {
    for api in both().await {
        let call = Call::post("/api/echo?a=1").by("t0").key("k1").json(&json!({}));
        let seen: Value = fetch(&*api, call).await.unwrap();
        assert_eq!(
            seen,
            json!({"path": "/api/echo?a=1", "token": "Bearer t0", "key": "k1", "type": "application/json"})
        );
    }
}

#[tokio::test]
async fn a_refusal_keeps_the_problems_code_and_sentence() {
    for api in both().await {
        let error = ask(&*api, Call::get("/api/no")).await.unwrap_err();
        assert_eq!(error.to_string(), "GET /api/no: 409 Conflict too-late: it has left");
        assert_eq!(error.code(), Some("too-late"));
        assert!(!error.is_passing());
    }
}

#[tokio::test]
async fn a_connection_serves_many_calls_and_a_lost_one_is_replaced() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            tokio::spawn(async move {
                let service = hyper::service::service_fn(async |_| {
                    Ok::<_, std::convert::Infallible>(http::Response::new(String::from("{}")))
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(hyper_util::rt::TokioIo::new(stream), service);
                if first {
                    // Goes away after a while, as servers do with idle connections.
                    let _ = tokio::time::timeout(Duration::from_millis(200), connection).await;
                } else {
                    let _ = connection.await;
                }
            });
        }
    });
    let api = Socket::new(&format!("http://{address}")).unwrap();
    for _ in 0..5 {
        ask(&api, Call::get("/")).await.unwrap();
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    tokio::time::sleep(Duration::from_millis(400)).await;
    ask(&api, Call::get("/")).await.unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[test]
fn an_address_that_names_no_market_says_how_one_is_written() {
    for text in ["127.0.0.1:8080", "https://a4co.example", "http://a/b", "ftp://a"] {
        let error = Socket::new(text).unwrap_err().to_string();
        assert!(error.contains("http://127.0.0.1:8080"), "{error}");
    }
    assert!(Socket::new("http://localhost:8080/").is_ok());
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let page = |request: Request| async move {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let body = if query.contains("cursor=b") {
            json!({"items": [3]})
        } else {
            json!({"items": [1, 2], "next": "b"})
        };
        axum::Json(body)
    };
    let api = InMemory::new(Router::new().route("/api/list", get(page)));
    let rows: Vec<u32> = fetch_all(&api, "/api/list?x=1", None, 100).await.unwrap();
    assert_eq!(rows, [1, 2, 3]);
}
