//! Where requests come in from the first moment to the last: before the market runs and while it
//! stops, whoever asks is told to come back, and balancers send nobody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http_kit::{Answer, Problem};
use serde_json::json;
use tower::ServiceExt as _;

const LIVE: &str = "/health/live";
const READY: &str = "/health/ready";

/// A door that is closed, then open, then closing.
#[derive(Clone, Default)]
pub(super) struct Door(Arc<Inside>);

#[derive(Default)]
struct Inside {
    market: OnceLock<Router>,
    is_closing: AtomicBool,
}

impl Door {
    /// From now on the market answers.
    pub(super) fn open(&self, market: Router) {
        let _ = self.0.market.set(market);
    }

    /// From now on the process says that it is not ready; it goes on answering what comes.
    pub(super) fn close(&self) {
        self.0.is_closing.store(true, Ordering::SeqCst);
    }

    /// What listens.
    pub(super) fn router(&self) -> Router {
        let door = self.clone();
        Router::new().fallback(move |request: Request| door.clone().answer(request))
    }

    async fn answer(self, request: Request) -> Response {
        let path = request.uri().path();
        let is_closing = self.0.is_closing.load(Ordering::SeqCst);
        match self.0.market.get() {
            Some(_) if is_closing && path == READY => unavailable("stops", "another one"),
            Some(market) => match market.clone().oneshot(request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            },
            None if path == LIVE => Answer::ok(&json!({"status": "live"})).into_response(),
            None => unavailable("starts", "again in a moment"),
        }
    }
}

fn unavailable(what: &str, instead: &str) -> Response {
    Problem::unavailable(format!("this process {what}: ask {instead}")).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use http::StatusCode;

    use super::*;

    async fn status(door: &Door, path: &str) -> u16 {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        door.router().oneshot(request).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn it_is_ready_between_its_start_and_its_stop_and_answers_until_the_end() {
        let door = Door::default();
        for (path, wanted) in [(LIVE, 200), (READY, 503), ("/api/orders", 503)] {
            assert_eq!(status(&door, path).await, wanted, "{path} before the start");
        }
        let ok = || get(async || StatusCode::OK);
        let paths = [LIVE, READY, "/api/orders"];
        door.open(paths.iter().fold(Router::new(), |router, path| router.route(path, ok())));
        for path in paths {
            assert_eq!(status(&door, path).await, 200, "{path} after the start");
        }
        door.close();
        for (path, wanted) in [(LIVE, 200), (READY, 503), ("/api/orders", 200)] {
            assert_eq!(status(&door, path).await, wanted, "{path} during the stop");
        }
    }
}
