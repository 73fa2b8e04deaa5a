//! Requests of people for a service of another process: passed on as they are, answered as it
//! answers. Whoever may what is checked there; nothing is read or kept here.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use backbone::route::Route;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use kernel::Duration;

use super::body::Timed;
use super::{Network, PASSED_ON};
use crate::Problem;
use crate::client::TransportError;

/// For the whole of an answer, streams excepted.
const LIMIT: Duration = Duration::from_secs(5);
/// The same where a route takes large bodies: they are on their way for a while.
const LIMIT_OF_UPLOADS: Duration = Duration::from_secs(60);

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What concerns one connection and not the next (RFC 9110, 7.6.1). `Expect` is answered by whoever
/// the body comes to first.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
];

/// Whether another process passed this request on.
pub fn is_passed_on(headers: &HeaderMap) -> bool {
    headers.contains_key(PASSED_ON)
}

/// Passes requests on.
#[derive(Clone)]
pub struct Forwarder {
    network: Arc<Network>,
}

impl Forwarder {
    /// Over this network.
    pub fn new(network: Arc<Network>) -> Self {
        Self { network }
    }

    /// A route of another process's service, as it is mounted here: without the gate, which stands
    /// before it there.
    fn route(&self, service: &'static str, mut route: Route) -> Route {
        let limit = if route.body_limit_bytes.is_some() { LIMIT_OF_UPLOADS } else { LIMIT };
        let own = self.clone();
        let handler = async move |request: Request| own.pass_on(service, request, limit).await;
        let method = MethodFilter::try_from(route.method.clone());
        route.handler = match method {
            Ok(method) => on(method, handler),
            // A method without a filter has no route anywhere.
            Err(_) => MethodRouter::new(),
        };
        route
    }

    /// All routes of another process's service, as they are mounted here.
    pub fn of(&self, service: &'static str, routes: Vec<Route>) -> Vec<Route> {
        routes.into_iter().map(|route| self.route(service, route)).collect()
    }

    /// Passes a request on to a service, whose answer has the usual limit.
    pub async fn to(&self, service: &str, request: Request) -> Response {
        self.pass_on(service, request, LIMIT).await
    }

    async fn pass_on(&self, service: &str, request: Request, limit: Duration) -> Response {
        let clock = &self.network.environment.clock;
        let begun = clock.now();
        let answered = self.exchange(service, request, limit).await;
        let response = answered.unwrap_or_else(IntoResponse::into_response);
        let class = format!("{}xx", response.status().as_u16() / 100);
        metrics::counter!("http_passed_on_total", "to" => service.to_owned(), "status" => class).increment(1);
        let took = clock.now().since(begun).as_secs_f64();
        metrics::histogram!("http_passed_on_duration_seconds", "to" => service.to_owned()).record(took);
        response
    }

    async fn exchange(&self, service: &str, request: Request, limit: Duration) -> Result<Response, Problem> {
        if is_passed_on(request.headers()) {
            let detail = format!(
                "{service} does not run in the process that the request was passed on to: correct [discovery] \
                 of the process before"
            );
            return Err(Problem::of(StatusCode::LOOP_DETECTED, "passed-on-twice", detail));
        }
        let end = self.network.environment.clock.sleep(limit);
        match self.network.limited(limit, self.network.exchange(service, outgoing(request))).await {
            Some(Ok(response)) => {
                let (mut parts, body) = response.into_parts();
                strip(&mut parts.headers);
                let body = match is_stream(&parts.headers) {
                    true => Body::new(body),
                    false => Body::new(Timed { body, end }),
                };
                Ok(Response::from_parts(parts, body))
            }
            Some(Err(failed)) => Err(failure(service, &failed)),
            None => Err(Problem::of(
                StatusCode::GATEWAY_TIMEOUT,
                "no-answer",
                format!(
                    "the service {service} did not answer within {} s: try again with the same idempotency key",
                    limit.as_secs()
                ),
            )),
        }
    }
}

fn failure(service: &str, failed: &TransportError) -> Problem {
    tracing::warn!(event.action = "pass-on-failed", to = service, error.message = %failed, "no answer");
    match failed {
        TransportError::Connect(_) => {
            Problem::unavailable(format!("the service {service} cannot be reached just now: try again"))
        }
        TransportError::Broken(_) => Problem::of(
            StatusCode::BAD_GATEWAY,
            "broken-answer",
            format!("the service {service} broke off: try again with the same idempotency key"),
        ),
    }
}

/// The request as the next process gets it.
fn outgoing(request: Request) -> Request {
    let (mut parts, body) = request.into_parts();
    let client = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_string());
    let headers = &mut parts.headers;
    strip(headers);
    if let Some(client) = client {
        let known = headers.get_all(FORWARDED_FOR).iter().filter_map(|known| known.to_str().ok());
        let all: Vec<&str> = known.chain([client.as_str()]).collect();
        if let Ok(all) = HeaderValue::try_from(all.join(", ")) {
            headers.insert(FORWARDED_FOR, all);
        }
    }
    if let Some(host) = headers.remove(header::HOST)
        && !headers.contains_key(FORWARDED_HOST)
    {
        headers.insert(FORWARDED_HOST, host);
    }
    // What this process knows of the request is nothing to the client of the next one.
    parts.extensions.clear();
    Request::from_parts(parts, body)
}

/// Removes what concerns one connection, by name and as `Connection` names it.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP {
        headers.remove(*name);
    }
    for name in &named {
        headers.remove(name);
    }
}

fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    kind.starts_with("text/event-stream")
}
