//! Who calls and why, as the gate found out.

use axum::extract::FromRequestParts;
use backbone::route::Caller;
use http::request::Parts;

use crate::Problem;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIs(pub Caller);

/// The flow that the request belongs to; its causation is the request's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(pub backbone::work::Origin);

/// A handler that is mounted without the gate has nobody to ask who calls: it must not guess.
fn no_gate(what: &str) -> Problem {
    Problem::defect(format!("no {what} in the request: mount the route with http_kit::router"))
}

impl<S: Send + Sync> FromRequestParts<S> for CallerIs {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| no_gate("caller"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| no_gate("origin"))
    }
}
