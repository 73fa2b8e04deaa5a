//! What belongs to no service: health, metrics, keys, the API's description, and the operator's
//! view of dead letters.

use std::sync::Arc;

use adapter_tokens::SignedTokens;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use backbone::route::{Access, Role, Route};
use backbone::system::DeadLetter;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as URL;
use engine::{DeadLetterError, DeadLetters, Projections, RULES, Running, Watch};
use http::{Method, StatusCode, header};
use http_kit::{Answer, PageQuery, Problem, UrlPath, UrlQuery, openapi};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::market::Written;
use crate::projections;
use crate::services::SERVICES;

/// The pseudo-service that these routes stand under.
const PLATFORM: &str = "platform";

const ADMIN: Access = Access::People(&[Role::Admin]);

/// What these routes need.
#[derive(Clone)]
pub(crate) struct Platform {
    dead_letters: DeadLetters,
    projections: Projections,
    watch: Watch,
    tokens: Arc<SignedTokens>,
    metrics: Option<telemetry::Metrics>,
    written: Written,
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
            projections: running.projections(),
            watch: running.watch(),
            tokens,
            metrics,
            written,
        }
    }
}

/// A service's dead letter, by its place.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Place {
    /// The service whose consumer failed.
    service: String,
    /// The dead letter's id.
    id: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfService {
    /// One service; all without it.
    service: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Listed {
    service: String,
    id: String,
    consumer: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    error: String,
    attempts: u32,
    moved_at: kernel::Timestamp,
}

impl Listed {
    fn of(service: &str, (id, letter): (String, DeadLetter)) -> Self {
        Self {
            service: service.to_owned(),
            // Ids hold slashes; in paths they are written in base64url.
            id: URL.encode(id),
            consumer: letter.consumer,
            kind: letter.event.kind,
            subject: letter.event.subject,
            error: letter.error,
            attempts: letter.attempts,
            moved_at: letter.moved_at,
        }
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
    let one = "/admin/dlq/{service}/{id}";
    let mut own = vec![
        of(Method::GET, "/health/live", Access::Public, "Answers while the process lives", get(live)),
        of(Method::GET, "/health/ready", Access::Public, "Answers while the market serves", get(ready)),
        of(Method::GET, "/metrics", Access::Public, "Metrics for Prometheus", get(metrics)),
        of(Method::GET, "/.well-known/jwks.json", Access::Public, "The public keys of tokens", get(jwks)),
        of(Method::GET, "/admin/health", ADMIN, "How each service and consumer is", get(health)),
        of(Method::GET, "/admin/alerts", ADMIN, "The alerts that fire, and all rules", get(alerts)),
        of(Method::GET, "/admin/dlq", ADMIN, "Lists dead letters", get(list)).query::<OfService>(),
        of(Method::POST, "/admin/dlq/{service}/{id}/retry", ADMIN, "Retries a dead letter", post(retry)),
        of(Method::DELETE, one, ADMIN, "Discards a dead letter", delete(discard)),
    ];
    own.extend(projections::routes(&platform.projections));
    let described = services.iter().map(|(service, routes)| (*service, routes.as_slice()));
    let document = openapi::openapi(env!("CARGO_PKG_VERSION"), described.chain([(PLATFORM, own.as_slice())]));
    vec![(PLATFORM, own), ("docs", openapi::pages(&document))]
}

async fn live() -> Answer {
    Answer::ok(&json!({"status": "live"}))
}

async fn ready(State(platform): State<Platform>) -> Answer {
    let (commits, syncs) = (platform.written)();
    Answer::ok(&json!({"status": "ready", "services": SERVICES, "commits": commits, "syncs": syncs}))
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

async fn list(
    State(platform): State<Platform>,
    UrlQuery(of): UrlQuery<OfService>,
) -> Result<Answer, Problem> {
    let limit = PageQuery::default().limit();
    let mut found = Vec::new();
    for service in SERVICES.iter().filter(|name| of.service.as_deref().is_none_or(|wanted| wanted == **name))
    {
        let letters = platform.dead_letters.list(service, None, limit).await.map_err(problem)?;
        found.extend(letters.into_iter().map(|letter| Listed::of(service, letter)));
    }
    Ok(Answer::ok(&json!({"items": found})))
}

fn id_of(place: &Place) -> Result<String, Problem> {
    let bytes = URL.decode(&place.id).ok();
    let id = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    id.ok_or_else(|| Problem::invalid("id", "take the id as GET /admin/dlq lists it"))
}

async fn retry(State(platform): State<Platform>, UrlPath(place): UrlPath<Place>) -> Result<Answer, Problem> {
    platform.dead_letters.retry(&place.service, &id_of(&place)?).await.map_err(problem)?;
    Ok(Answer::no_content())
}

async fn discard(
    State(platform): State<Platform>,
    UrlPath(place): UrlPath<Place>,
) -> Result<Answer, Problem> {
    platform.dead_letters.discard(&place.service, &id_of(&place)?).await.map_err(problem)?;
    Ok(Answer::no_content())
}

fn problem(error: DeadLetterError) -> Problem {
    match error {
        DeadLetterError::NoService(service) => Problem::not_found(format!("a service {service}")),
        DeadLetterError::Work(error) => error.into(),
        DeadLetterError::Journal(error) => error.into(),
    }
}
