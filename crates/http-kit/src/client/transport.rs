//! How a request reaches its target.

use std::sync::OnceLock;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use tower::ServiceExt;

/// The largest answer that is read.
pub(crate) const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection: the request certainly did not arrive.
    #[error("no connection: {0}")]
    Connect(String),
    /// Connected, and then no whole answer: the request may have arrived.
    #[error("no whole answer: {0}")]
    Broken(String),
}

/// Carries one request to a service. Limits, retries and breaker are the client's.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends a request and reads the whole answer. Dropping the future gives the request up.
    async fn send(
        &self,
        to: &'static str,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError>;
}

/// Services in this process: a call goes through the same router as a request from outside, with
/// the same token, limits and log.
#[derive(Default)]
pub struct InMemory {
    router: OnceLock<Router>,
}

impl InMemory {
    /// A transport that reaches nobody until it is bound.
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds the router of all services: it is made of modules that hold the client already. The
    /// first binding stays.
    pub fn bind(&self, router: Router) {
        let _ = self.router.set(router);
    }
}

#[async_trait]
impl Transport for InMemory {
    async fn send(
        &self,
        to: &'static str,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError> {
        let Some(router) = self.router.get() else {
            return Err(TransportError::Connect(format!("{to} is not started yet")));
        };
        let Ok(response) = router.clone().oneshot(request.map(Body::from)).await;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await;
        let body = body.map_err(|error| TransportError::Broken(error.to_string()))?;
        Ok(Response::from_parts(parts, body))
    }
}
