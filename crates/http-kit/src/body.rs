//! Bodies: strict JSON, read once, checked before a handler sees it.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use garde::Validate;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::Problem;

mod reading;

pub(crate) use reading::field_error;

/// The largest body where a route says nothing else.
pub const BODY_LIMIT_BYTES: usize = 256 * 1024;

/// A request's JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body<T> {
    /// What it says.
    pub value: T,
    /// The stable hash of its bytes, for the idempotency key.
    pub fingerprint: u64,
}

impl<S, T> FromRequest<S> for Body<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Validate<Context = ()>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !says_json(request.headers()) {
            return Err(Problem::of(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content-type-not-json",
                "send the body as JSON with the header Content-Type: application/json",
            ));
        }
        // The gate has read it under the route's own limit; what comes without the gate (tests)
        // is still limited.
        let limit = request.extensions().get::<BodyLimit>().map_or(BODY_LIMIT_BYTES, |limit| limit.0);
        let bytes = collect(request.into_body(), limit).await?;
        let value: T = reading::json(&bytes)?;
        reading::valid(&value)?;
        Ok(Self { value, fingerprint: kernel::stable_hash(&bytes) })
    }
}

/// The limit that the gate has applied to this request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimit(pub(crate) usize);

/// True for `application/json` and `application/…+json`.
pub(crate) fn says_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json")
}

/// The whole body, or 413.
pub(crate) async fn collect(body: axum::body::Body, limit: usize) -> Result<Bytes, Problem> {
    axum::body::to_bytes(body, limit).await.map_err(|error| {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(inner) = cause {
            // axum wraps http-body-util's error, which is not among our dependencies: it is known
            // by its words.
            if inner.to_string().contains("length limit exceeded") {
                return too_large(limit);
            }
            cause = inner.source();
        }
        let detail = "the body ended before it was complete: send it again";
        Problem::of(StatusCode::BAD_REQUEST, "body-incomplete", detail)
    })
}

/// 413.
pub(crate) fn too_large(limit: usize) -> Problem {
    Problem::of(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-too-large",
        format!("the body may have {limit} bytes at most: send less, or in several requests"),
    )
}
