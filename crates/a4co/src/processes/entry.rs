//! The operator's view from any process over all of them: lists are asked of the others and put
//! together, and what names a service goes to it. Who asks is checked there again, by their own token.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use backbone::route::Route;
use bytes::Bytes;
use futures::future::join_all;
use http::header::{self, HeaderName};
use http::{HeaderMap, StatusCode, Uri};
use http_kit::network::{Address, Forwarder, Network, is_passed_on};
use http_kit::{BODY_LIMIT_BYTES, Problem};
use kernel::Duration;
use serde_json::{Map, Value};

/// How long another process may take for its part of a list.
const LIMIT: Duration = Duration::from_secs(3);
/// An own list is not larger.
const LIST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Where the answer names the processes that gave none.
const UNREACHABLE: &str = "unreachable";
/// The mark of a list's next page.
const NEXT: &str = "next";
/// Where the answer says that some list has a next page.
const MORE: &str = "more";

/// What goes along with a question.
const HEADERS: [HeaderName; 8] = [
    header::ACCEPT_LANGUAGE,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::COOKIE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("x-correlation-id"),
    HeaderName::from_static("x-request-id"),
];

/// Of whom a list is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// Every process tells of itself.
    EveryProcess,
    /// Replicas share what they tell of: one of each service's is enough.
    EachService,
}

/// Puts the answers of several processes to a question together, the own first.
pub(crate) type Together = fn(&Uri, Vec<Value>) -> Value;

/// What a list's route needs to tell of all processes.
struct Asking {
    entry: Entry,
    of: Of,
    together: Together,
}

/// The way from here to the lists of the others.
#[derive(Clone)]
pub(crate) struct Entry {
    network: Arc<Network>,
    elsewhere: Arc<[&'static str]>,
}

impl Entry {
    pub(super) fn new(network: Arc<Network>, elsewhere: Arc<[&'static str]>) -> Self {
        Self { network, elsewhere }
    }

    /// A route that tells of this process, telling of all: arrays are put together, numbers added
    /// up, and whoever gives no answer is named. What names a service, in the query or in the body,
    /// goes to that service. Pages are of one service: where more stands on a next one, this says so.
    pub(crate) fn all(&self, route: Route, of: Of) -> Route {
        self.all_as(route, of, merged)
    }

    /// The same, put together in a list's own way.
    pub(crate) fn all_as(&self, mut route: Route, of: Of, together: Together) -> Route {
        let state = Arc::new(Asking { entry: self.clone(), of, together });
        route.handler = route.handler.layer(from_fn_with_state(state, gathered));
        route
    }

    /// A route with `{service}` in its path, or an `{id}` that begins with it, going to that service.
    pub(crate) fn by_service(&self, mut route: Route) -> Route {
        let names = |part: &str| part == "{service}" || part == "{id}";
        let Some(place) = route.path.split('/').position(names) else { return route };
        let state = Arc::new((self.clone(), place));
        route.handler = route.handler.layer(from_fn_with_state(state, directed));
        route
    }

    /// Passes on what concerns a service that does not run here.
    async fn direct(&self, service: &str, request: Request, next: Next) -> Response {
        match self.elsewhere.contains(&service) {
            true => Forwarder::new(self.network.clone()).to(service, request).await,
            false => next.run(request).await,
        }
    }

    /// Whom to ask: each with those who know the same.
    fn asked(&self, of: Of) -> Vec<Vec<&Address>> {
        let directory = self.network.directory();
        let processes = directory.processes();
        if of == Of::EveryProcess {
            return processes.into_iter().map(|(address, _)| vec![address]).collect();
        }
        let (mut asked, mut covered) = (Vec::new(), BTreeSet::new());
        for service in self.elsewhere.iter() {
            let replicas: Vec<&Address> = directory.turn(service).collect();
            let Some(first) = replicas.first().filter(|_| !covered.contains(service)) else { continue };
            let there = processes.iter().find(|(address, _)| address == first);
            covered.extend(there.into_iter().flat_map(|(_, services)| services.iter().copied()));
            asked.push(replicas);
        }
        asked
    }

    /// One answer of those who know the same, or who gave none.
    async fn answer(&self, replicas: &[&Address], question: &http::Request<Bytes>) -> Result<Value, String> {
        let mut silent = String::new();
        for address in replicas {
            match self.network.ask(address, question.clone(), LIMIT).await {
                // That was this process itself.
                Ok(answer) if answer.status() == StatusCode::LOOP_DETECTED => return Ok(Value::Null),
                Ok(answer) if answer.status().is_success() => {
                    return serde_json::from_slice(answer.body()).map_err(|_| address.to_string());
                }
                Ok(answer) => {
                    let (status, path) = (answer.status().as_u16(), question.uri().path());
                    tracing::debug!(%address, status, path, "another process has no list for this one");
                    silent = address.to_string();
                }
                Err(error) => {
                    tracing::debug!(%address, error.message = %error, "another process has no list for this one");
                    silent = address.to_string();
                }
            }
        }
        Err(silent)
    }

    /// The own answer with those of the others.
    async fn gather(&self, asking: &Asking, request: Request, next: Next) -> Result<Response, Problem> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, BODY_LIMIT_BYTES).await;
        let body = body.map_err(|_| Problem::unavailable("the request broke off: send it again"))?;
        if let Some(service) = named_in(&body) {
            return Ok(self.direct(&service, Request::from_parts(parts, Body::from(body)), next).await);
        }
        let question = question(&parts, body.clone());
        let own = next.run(Request::from_parts(parts, Body::from(body))).await;
        let (mut parts, body) = own.into_parts();
        let own = to_bytes(body, LIST_BYTES_MAX).await.map_err(Problem::defect)?;
        let read = serde_json::from_slice(&own).ok().filter(Value::is_object);
        let (true, Some(own)) = (parts.status.is_success(), read) else {
            return Ok(Response::from_parts(parts, Body::from(own)));
        };
        let asked = self.asked(asking.of);
        let answers = asked.iter().map(|replicas| self.answer(replicas, &question));
        let (mut told, mut unreachable) = (vec![own], BTreeSet::new());
        for answer in join_all(answers).await {
            match answer {
                Ok(answer) => told.push(answer),
                Err(address) => drop(unreachable.insert(address)),
            }
        }
        let mut all = (asking.together)(question.uri(), told);
        if let Some(all) = all.as_object_mut() {
            all.insert(UNREACHABLE.to_owned(), unreachable.into_iter().collect());
        }
        parts.headers.remove(header::CONTENT_LENGTH);
        Ok(Response::from_parts(parts, Body::from(all.to_string())))
    }
}

fn question(parts: &http::request::Parts, body: Bytes) -> http::Request<Bytes> {
    let mut question = http::Request::new(body);
    *question.method_mut() = parts.method.clone();
    *question.uri_mut() = parts.uri.clone();
    let mut headers = HeaderMap::new();
    for name in HEADERS {
        if let Some(value) = parts.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    *question.headers_mut() = headers;
    question
}

/// One answer of all. The marks of different lists have no common meaning: where one has a next page
/// the operator asks service by service.
fn merged(_: &Uri, answers: Vec<Value>) -> Value {
    let mut all = Value::Null;
    answers.into_iter().for_each(|answer| merge(&mut all, answer));
    if let Some(all) = all.as_object_mut()
        && all.remove(NEXT).is_some_and(|next| !next.is_null())
    {
        all.insert(MORE.to_owned(), true.into());
    }
    all
}

/// Puts an answer to another: the same thing told twice is told once.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge_field(into, key, value);
            }
        }
        (Value::Array(into), Value::Array(from)) => {
            for value in from {
                if !into.contains(&value) {
                    into.push(value);
                }
            }
        }
        // Whoever has nothing to say leaves it to the others.
        (into @ Value::Null, from) => *into = from,
        (Value::Number(into), Value::Number(from)) => {
            if let (Some(one), Some(other)) = (into.as_i64(), from.as_i64()) {
                *into = one.saturating_add(other).into();
            }
        }
        _ => {}
    }
}

fn merge_field(into: &mut Map<String, Value>, key: String, value: Value) {
    match into.get_mut(&key) {
        Some(known) => merge(known, value),
        None => drop(into.insert(key, value)),
    }
}

/// The service that the body asks for.
fn named_in(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        service: String,
    }
    serde_json::from_slice::<Named>(body).ok().map(|named| named.service)
}

/// The service that the query asks for.
fn service_of(query: Option<&str>) -> Option<String> {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(name, _)| *name == "service").map(|(_, value)| value.to_owned())
}

async fn gathered(State(asking): State<Arc<Asking>>, request: Request, next: Next) -> Response {
    let entry = &asking.entry;
    if entry.network.is_own(request.headers()) {
        let detail = "this process asked itself: its own address is in [discovery]";
        return Problem::of(StatusCode::LOOP_DETECTED, "passed-on-twice", detail).into_response();
    }
    if is_passed_on(request.headers()) {
        return next.run(request).await;
    }
    match service_of(request.uri().query()) {
        Some(service) => entry.direct(&service, request, next).await,
        None => entry.gather(&asking, request, next).await.unwrap_or_else(IntoResponse::into_response),
    }
}

async fn directed(State(state): State<Arc<(Entry, usize)>>, request: Request, next: Next) -> Response {
    let (entry, place) = &*state;
    let named = request.uri().path().split('/').nth(*place).unwrap_or_default();
    let service = engine::service_of(named).unwrap_or(named).to_owned();
    entry.direct(&service, request, next).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_put_together_and_what_is_told_twice_is_told_once() {
        let mut all = json!({"items": [{"id": 1}], "retried": 2, "status": "ready"});
        merge(&mut all, json!({"items": [{"id": 1}, {"id": 2}], "retried": 3, "status": "x", "more": true}));
        merge(&mut all, Value::Null);
        let wanted = json!({"items": [{"id": 1}, {"id": 2}], "retried": 5, "status": "ready", "more": true});
        assert_eq!(all, wanted);
    }

    #[test]
    fn query_and_body_may_name_a_service() {
        assert_eq!(named_in(br#"{"service": "order", "from": "0"}"#), Some("order".to_owned()));
        assert_eq!(named_in(br#"{"from": "0"}"#), None);
        assert_eq!(named_in(b""), None);
        assert_eq!(service_of(Some("limit=3&service=order")), Some("order".to_owned()));
        assert_eq!(service_of(Some("services=order")), None);
        assert_eq!(service_of(None), None);
    }
}
