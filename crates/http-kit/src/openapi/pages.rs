//! The document and a page to try it. Our own page of three small files: a packaged one brings a
//! second way to describe APIs, 1.8 MB of assets, and a policy that allows inline styles.

use std::sync::{Arc, LazyLock};

use axum::response::{IntoResponse, Response};
use axum::routing::get;
use backbone::route::{Access, Route};
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde_json::Value;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /openapi.json`, and `GET /docs` to read it and send requests.
///
/// The document is made when it is first asked for: most processes start without anybody asking.
pub fn pages(document: impl FnOnce() -> Value + Send + 'static) -> Vec<Route> {
    let json = move || Bytes::from(serde_json::to_vec(&document()).expect("the document is JSON"));
    let json = Arc::new(LazyLock::new(json));
    let serve_json = get(async move || serve("application/json", Bytes::clone(&json)));
    vec![
        Route::new(Method::GET, "/openapi.json", Access::Public, "The API as OpenAPI 3.1", serve_json),
        page(
            "/docs",
            "The API to read and try",
            "text/html; charset=utf-8",
            include_str!("../../assets/docs.html"),
        ),
        page("/docs/docs.js", "The page's script", "text/javascript", include_str!("../../assets/docs.js")),
        page("/docs/docs.css", "The page's style", "text/css", include_str!("../../assets/docs.css")),
    ]
}

fn page(path: &'static str, summary: &'static str, kind: &'static str, text: &'static str) -> Route {
    let handler = get(async move || serve(kind, Bytes::from_static(text.as_bytes())));
    Route::new(Method::GET, path, Access::Public, summary, handler)
}

fn serve(kind: &'static str, body: Bytes) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
