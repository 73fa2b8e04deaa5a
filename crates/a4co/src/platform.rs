//! What belongs to no service: health, metrics, keys, the API's description, and the operator's
//! view.

use std::sync::Arc;

use adapter_tokens::SignedTokens;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use backbone::route::{Access, Role, Route};
use engine::{DeadLetters, EventLog, Projections, RULES, Republisher, Running, SagaDesk, Watch};
use http::{Method, StatusCode, header};
use http_kit::{Answer, openapi};
use serde_json::json;

use crate::market::Written;
use crate::processes::{Entry, Of, Processes};
use crate::services::SERVICES;
use crate::{dead_letters, events, projections, republish, sagas};

/// The pseudo-service that these routes stand under.
const PLATFORM: &str = "platform";

const ADMIN: Access = Access::People(&[Role::Admin]);

/// What these routes need.
#[derive(Clone)]
pub(crate) struct Platform {
    dead_letters: DeadLetters,
    sagas: SagaDesk,
    event_log: EventLog,
    republisher: Republisher,
    projections: Projections,
    watch: Watch,
    tokens: Arc<SignedTokens>,
    metrics: Option<telemetry::Metrics>,
    written: Written,
    here: Arc<[&'static str]>,
    entry: Option<Entry>,
}

impl Platform {
    /// Of a market that runs.
    pub(crate) fn new(
        running: &Running,
        tokens: Arc<SignedTokens>,
        metrics: Option<telemetry::Metrics>,
        written: Written,
    ) -> Self {
        Self {
            dead_letters: running.dead_letters(),
            sagas: running.sagas(),
            event_log: running.event_log(),
            republisher: running.republisher(),
            projections: running.projections(),
            watch: running.watch(),
            tokens,
            metrics,
            written,
            here: SERVICES.into(),
            entry: None,
        }
    }

    /// Where only some services run here.
    pub(crate) fn among(self, processes: &Processes) -> Self {
        Self { here: processes.here().clone(), entry: processes.entry(), ..self }
    }

    /// The routes as one process tells them, telling of all processes where there are more.
    fn across(&self, routes: Vec<Route>) -> Vec<Route> {
        let Some(entry) = &self.entry else { return routes };
        let across = |route: Route| match route.path {
            // Whoever runs something is ready when that is; a mere entry, when the others are.
            "/health/ready" if self.here.is_empty() => entry.all(route, Of::EveryProcess),
            "/admin/health" | "/admin/alerts" => entry.all(route, Of::EveryProcess),
            events::LIST => entry.all_as(route, Of::EachService, events::together),
            // An id of an operator's begins with its service.
            path if path.contains("{service}") || path.contains("/{id}") => entry.by_service(route),
            path if path.starts_with("/admin/") => entry.all(route, Of::EachService),
            _ => route,
        };
        routes.into_iter().map(across).collect()
    }
}

/// All routes that belong to no service, and the description of all routes.
pub(crate) fn routes(
    platform: Platform,
    services: &[(&'static str, Vec<Route>)],
) -> Vec<(&'static str, Vec<Route>)> {
    let of = |method, path, access, summary, handler: axum::routing::MethodRouter<Platform>| {
        Route::new(method, path, access, summary, handler.with_state(platform.clone()))
    };
    let mut own = vec![
        of(Method::GET, "/health/live", Access::Public, "Answers while the process lives", get(live)),
        of(Method::GET, "/health/ready", Access::Public, "Answers while the market serves", get(ready)),
        of(Method::GET, "/metrics", Access::Public, "Metrics for Prometheus", get(metrics)),
        of(Method::GET, "/.well-known/jwks.json", Access::Public, "The public keys of tokens", get(jwks)),
        of(Method::GET, "/admin/health", ADMIN, "How each service and consumer is", get(health)),
        of(Method::GET, "/admin/alerts", ADMIN, "The alerts that fire, and all rules", get(alerts)),
    ];
    own.extend(dead_letters::routes(&platform.dead_letters));
    own.extend(sagas::routes(&platform.sagas));
    own.extend(events::routes(&platform.event_log));
    own.extend(projections::routes(&platform.projections));
    own.extend(republish::routes(&platform.republisher));
    let own = platform.across(own);
    let described: Vec<_> = services.iter().cloned().chain([(PLATFORM, own.clone())]).collect();
    let document = move || {
        let described = described.iter().map(|(service, routes)| (*service, routes.as_slice()));
        openapi::openapi(env!("CARGO_PKG_VERSION"), described)
    };
    vec![(PLATFORM, own), ("docs", openapi::pages(document))]
}

async fn live() -> Answer {
    Answer::ok(&json!({"status": "live"}))
}

async fn ready(State(platform): State<Platform>) -> Answer {
    let (commits, syncs) = (platform.written)();
    Answer::ok(&json!({"status": "ready", "services": *platform.here, "commits": commits, "syncs": syncs}))
}

async fn metrics(State(platform): State<Platform>) -> Response {
    match &platform.metrics {
        Some(metrics) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
            (kind, metrics.render()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn health(State(platform): State<Platform>) -> Answer {
    Answer::ok(&json!({"services": platform.watch.health()}))
}

async fn alerts(State(platform): State<Platform>) -> Answer {
    Answer::ok(&json!({"firing": platform.watch.alerts(), "rules": RULES}))
}

async fn jwks(State(platform): State<Platform>) -> Answer {
    Answer::ok(&platform.tokens.jwks())
}
