//! The gate: one router for the routes of all services, where every request goes through the same
//! concerns in the same order. Each of them is a file below; adding one is a line in `guard`.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use backbone::environment::Environment;
use backbone::ephemeral::{Claims, NoClaims};
use backbone::route::Route;
use backbone::tokens::{Tokens, path_shape, permission_to_call};
use backbone::trace::{self, Tracing};
use futures::FutureExt;
use http::{Method, StatusCode};
use tracing::Instrument;

mod access_log;
mod authorise;
mod card_numbers;
mod origin;
mod payload;
mod rates;
mod security_headers;
#[cfg(test)]
mod tests;

pub use rates::Rates;

pub(crate) use origin::{CORRELATION_ID, REQUEST_ID, TRACEPARENT, new_span_of};

use crate::body::BODY_LIMIT_BYTES;
use crate::problem::Language;
use crate::{CallerIs, Problem};

/// What the gate needs.
#[derive(Clone)]
pub struct Gate {
    /// Checks tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Time and ids.
    pub environment: Environment,
    /// The largest body where a route says nothing else.
    pub body_limit_bytes: usize,
    /// Joins a request's span to its trace, where traces are kept.
    pub tracing: Tracing,
    /// Hears how each request of a service was answered.
    pub answered: Arc<dyn Fn(&'static str, StatusCode) + Send + Sync>,
    /// How often somebody may ask, where that is limited.
    pub rates: Option<Rates>,
    /// Remembers which tokens came with which requests. Without a memory no token is believed that is
    /// good only once.
    pub claims: Arc<dyn Claims>,
}

impl Gate {
    /// A gate with the usual limits.
    pub fn new(tokens: Arc<dyn Tokens>, environment: Environment) -> Self {
        let (body_limit_bytes, tracing) = (BODY_LIMIT_BYTES, Tracing::OFF);
        let (answered, claims) = (Arc::new(|_, _| ()), Arc::new(NoClaims));
        Self { tokens, environment, body_limit_bytes, tracing, answered, rates: None, claims }
    }
}

/// Why routes do not fit together. Found at start, by name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteConflict {
    /// Two services, or one twice, declare the same route.
    #[error("{method} {path} is declared by {first} and by {second}: remove one")]
    Twice {
        /// The method.
        method: Method,
        /// The path.
        path: String,
        /// Who declared it first.
        first: &'static str,
        /// Who declared it again.
        second: &'static str,
    },
    /// The same path with other names for its parameters.
    #[error("{service} declares {path}, which stands as {known} already: name the parameters alike")]
    Named {
        /// Who.
        service: &'static str,
        /// The second spelling.
        path: String,
        /// The first spelling.
        known: String,
    },
    /// Not an absolute path.
    #[error("{service} declares {path}: a path begins with / and does not end with it")]
    Path {
        /// Who.
        service: &'static str,
        /// The path.
        path: String,
    },
}

/// A route with what the gate knows of it.
struct Guarded {
    gate: Gate,
    service: &'static str,
    route: Route,
    /// What a service's token must permit.
    permission: String,
    metrics: access_log::RouteMetrics,
}

/// Mounts the routes of all services into one router. Call it after the metrics recorder is
/// installed: the metrics of a route are looked up here, once.
pub fn router(
    services: impl IntoIterator<Item = (&'static str, Vec<Route>)>,
    gate: &Gate,
) -> Result<Router, RouteConflict> {
    router_between(services, [], gate)
}

/// As `router`, with the routes of services that run in other processes. Those pass requests on, and
/// stand outside the gate: it is before them there.
pub fn router_between(
    here: impl IntoIterator<Item = (&'static str, Vec<Route>)>,
    elsewhere: impl IntoIterator<Item = (&'static str, Vec<Route>)>,
    gate: &Gate,
) -> Result<Router, RouteConflict> {
    let mut taken = Taken::default();
    let mut router = Router::new();
    for (service, routes) in here {
        for route in routes {
            taken.take(service, &route)?;
            let (path, handler) = (route.path, route.handler.clone());
            let guarded = Arc::new(Guarded {
                gate: gate.clone(),
                service,
                permission: permission_to_call(&route.method, route.path),
                metrics: access_log::RouteMetrics::of(service, &route),
                route,
            });
            router = router.route(path, handler.route_layer(from_fn_with_state(guarded, guard)));
        }
    }
    for (service, routes) in elsewhere {
        for route in routes {
            taken.take(service, &route)?;
            router = router.route(
                route.path,
                route.handler.route_layer(from_fn_with_state(gate.clone(), said_by_nobody_else)),
            );
        }
    }
    Ok(with_fallbacks(router, gate))
}

/// The paths that stand already, by their shape.
#[derive(Default)]
struct Taken {
    spellings: BTreeMap<String, &'static str>,
    owners: BTreeMap<(String, String), &'static str>,
}

impl Taken {
    fn take(&mut self, service: &'static str, route: &Route) -> Result<(), RouteConflict> {
        check_path(service, route)?;
        let shape = path_shape(route.path);
        let known = *self.spellings.entry(shape.clone()).or_insert(route.path);
        if known != route.path {
            let (path, known) = (route.path.to_owned(), known.to_owned());
            return Err(RouteConflict::Named { service, path, known });
        }
        if let Some(first) = self.owners.insert((shape, route.method.to_string()), service) {
            let (method, path) = (route.method.clone(), route.path.to_owned());
            return Err(RouteConflict::Twice { method, path, first, second: service });
        }
        Ok(())
    }
}

/// The answer of another process stays as it is; a problem of passing on gets its frame here.
async fn said_by_nobody_else(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (origin, language) = (origin::of(request.headers(), &gate), Language::wanted(request.headers()));
    let response = survived(next.run(request)).await;
    match response.extensions().get::<Problem>() {
        Some(_) => finished(response, language, &origin),
        None => response,
    }
}

fn check_path(service: &'static str, route: &Route) -> Result<(), RouteConflict> {
    let path = route.path;
    if path.starts_with('/') && (path == "/" || !path.ends_with('/')) {
        return Ok(());
    }
    Err(RouteConflict::Path { service, path: path.to_owned() })
}

/// What no route serves is a problem like any other.
fn with_fallbacks(router: Router, gate: &Gate) -> Router {
    let (missing, wrong_method) = (gate.clone(), gate.clone());
    router
        .fallback(async move |request: Request| {
            let path = request.uri().path();
            let detail = format!("nothing stands at {path}: see /docs for what does");
            let problem = Problem::of(StatusCode::NOT_FOUND, "route-unknown", detail);
            refused(&missing, request.headers(), problem)
        })
        .method_not_allowed_fallback(async move |request: Request| {
            let (method, path) = (request.method(), request.uri().path());
            let detail = format!("{path} does not take {method}: the header Allow lists what it takes");
            let problem = Problem::of(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail);
            refused(&wrong_method, request.headers(), problem)
        })
}

/// The answer to a request that reached no route: it has an id and headers too.
fn refused(gate: &Gate, headers: &http::HeaderMap, problem: Problem) -> Response {
    let origin = origin::of(headers, gate);
    access_log::unmatched(problem.status);
    finished(problem.into_response(), Language::wanted(headers), &origin)
}

/// All concerns, in order: ids, log and metrics, authorisation, payload, headers.
async fn guard(State(guarded): State<Arc<Guarded>>, mut request: Request, next: Next) -> Response {
    let mut origin = origin::of(request.headers(), &guarded.gate);
    let span = access_log::span(&guarded, &mut origin);
    let traceparent = origin.origin.traceparent.clone();
    let language = Language::wanted(request.headers());
    let started = guarded.gate.environment.clock.now();
    let answered = async {
        let admitted = authorise::admitted(&guarded, &request);
        // Who is refused counts too: guessing is asking.
        let caller = admitted.as_ref().map(|admitted| &admitted.caller);
        if let Some(counted) = rates::counted(&guarded, &request, caller) {
            counted.allowed().await?;
        }
        let caller = admitted?.for_the_first_time(&guarded).await?;
        request.extensions_mut().insert(CallerIs(caller));
        request.extensions_mut().insert(crate::Origin(origin.origin.clone()));
        let request = payload::screened(&guarded, request).await?;
        Ok::<Response, Problem>(survived(next.run(request)).await)
    };
    let answered = trace::within(traceparent.as_deref(), answered).instrument(span.clone()).await;
    let response = finished(answered.unwrap_or_else(IntoResponse::into_response), language, &origin);
    let took = guarded.gate.environment.clock.now().since(started);
    access_log::end(&guarded, &span, response.status());
    access_log::write(&guarded, &origin.origin, response.status(), took);
    (guarded.gate.answered)(guarded.service, response.status());
    response
}

/// A handler that panics fails its own request and nothing else; the panic's text is in the log
/// already.
async fn survived(handler: impl Future<Output = Response>) -> Response {
    let answered = AssertUnwindSafe(handler).catch_unwind().await;
    answered.unwrap_or_else(|_| Problem::defect("the handler panicked").into_response())
}

/// The last touch: a problem gets its language and its instance, every answer its headers.
fn finished(mut response: Response, language: Language, origin: &origin::RequestOrigin) -> Response {
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.translate(language);
        problem.instance = Some(origin::instance(&origin.origin.causation_id).into());
        let rendered = problem.render();
        *response.body_mut() = rendered.into_body();
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
    }
    security_headers::set(response.headers_mut());
    origin::set(response.headers_mut(), &origin.origin);
    response
}
