//! The market in the same process: no socket, the same router with all its layers.

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use tower::ServiceExt as _;

use super::{ANSWER_BYTES_MAX, ANSWER_LIMIT, Api, Call, Error, Reply};

/// A router as a market.
#[derive(Clone, Debug)]
pub struct InMemory(Router);

impl InMemory {
    /// Calls go to this router.
    pub fn new(router: Router) -> Self {
        Self(router)
    }
}

#[async_trait]
impl Api for InMemory {
    async fn send(&self, call: &Call) -> Result<Reply, Error> {
        let request = call.request(Body::from)?;
        let answered = async {
            let response = match self.0.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            let (parts, body) = response.into_parts();
            let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.map_err(|e| call.silent(e))?;
            Ok(Reply { call: call.name(), status: parts.status, headers: parts.headers, body })
        };
        match tokio::time::timeout(ANSWER_LIMIT, answered).await {
            Ok(answer) => answer,
            Err(_) => Err(call.silent("no answer in 30 seconds")),
        }
    }
}
