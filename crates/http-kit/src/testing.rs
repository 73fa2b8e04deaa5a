//! Routes under test: the real gate with tokens in plain text, and one request at a time. For the
//! tests of services; nothing here is secure.

use axum::Router;
use axum::body::Body;
use backbone::environment::Environment;
use backbone::route::{Caller, Role, Route};
use backbone::tokens::{TokenError, Tokens, Verified, permission_to_call};
use http::{HeaderMap, Method, Request, StatusCode, header};
use kernel::{Duration, Timestamp};
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt;
use uuid::Uuid;

use crate::{Gate, router};

/// Tokens that say in plain text who calls. A service's permits these calls and no others.
pub struct PlainTokens {
    permissions: Arc<[String]>,
}

impl PlainTokens {
    /// Tokens of services permit these (`call:GET /api/users/{}/standing`).
    pub fn permitting(permissions: impl IntoIterator<Item = String>) -> Self {
        Self { permissions: permissions.into_iter().collect() }
    }
}

/// The token of a person.
pub fn person(id: Uuid, role: Role) -> String {
    let role = serde_json::to_value(role).expect("roles are text");
    format!("person|{id}|{}", role.as_str().unwrap_or_default())
}

/// The token with which a service calls another.
pub fn service(from: &str, to: &str) -> String {
    format!("service|{from}|{to}")
}

impl Tokens for PlainTokens {
    fn for_service(&self, from: &str, to: &str) -> Result<String, TokenError> {
        Ok(service(from, to))
    }

    fn for_person(&self, id: Uuid, role: Role, _: Duration) -> Result<String, TokenError> {
        Ok(person(id, role))
    }

    fn verify(&self, token: &str, target: &str, request_id: Option<&str>) -> Result<Verified, TokenError> {
        let expires = Timestamp::from_micros(i64::MAX);
        let parts: Vec<&str> = token.split('|').collect();
        match parts.as_slice() {
            ["person", id, role] => {
                let id = Uuid::parse_str(id).map_err(|_| TokenError::Invalid("not a person's id"))?;
                let role = serde_json::from_value(Value::from(*role))
                    .map_err(|_| TokenError::Invalid("not a role"))?;
                let caller = Caller::Person { id, role };
                Ok(Verified { caller, permissions: Arc::default(), expires, once: None })
            }
            ["service", from, to] if *to == target && request_id.is_some() => {
                let caller = Caller::Service((*from).to_owned());
                let permissions = Arc::clone(&self.permissions);
                Ok(Verified { caller, permissions, expires, once: None })
            }
            _ => Err(TokenError::Invalid("not a token of this test")),
        }
    }
}

/// One service's routes behind the gate; services may call all that the routes' access names.
pub fn stand(service: &'static str, routes: Vec<Route>, environment: Environment) -> Router {
    let permissions = routes.iter().map(|route| permission_to_call(&route.method, route.path));
    let tokens = PlainTokens::permitting(permissions);
    let gate = Gate::new(Arc::new(tokens), environment);
    router([(service, routes)], &gate).expect("the routes fit together")
}

/// An answer, read.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; text where it is none, null where it is empty.
    pub body: Value,
}

impl Reply {
    /// A problem's code, for asserting on.
    pub fn code(&self) -> &str {
        self.body.get("code").and_then(Value::as_str).unwrap_or("")
    }
}

/// A request with a JSON body, where there is one, by whoever holds this token.
pub fn request(method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header("x-request-id", "test");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = match body {
        Some(value) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(value.to_string())
        }
        None => Body::empty(),
    };
    request.body(body).expect("a request made of a method, a path and headers")
}

/// Sends a request and reads the answer.
pub async fn send(router: &Router, request: Request<Body>) -> Reply {
    let Ok(response) = router.clone().oneshot(request).await;
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("answers are whole");
    let text = || Value::from(String::from_utf8_lossy(&bytes).into_owned());
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).unwrap_or_else(|_| text())
    };
    Reply { status: parts.status, headers: parts.headers, body }
}
