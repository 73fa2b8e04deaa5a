//! One line and one measurement a request: method, matched route, status, duration. Never the
//! path itself, the query, a body or the caller's person: those are personal data.

use backbone::route::Route;
use backbone::work::Origin;
use http::StatusCode;
use kernel::Duration;
use metrics::{Counter, Histogram};
use tracing::Instrument;

use super::Guarded;

/// A route's metrics, looked up once.
pub(super) struct RouteMetrics {
    /// By the status's hundreds.
    requests: [Counter; 6],
    seconds: Histogram,
}

const CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

impl RouteMetrics {
    pub(super) fn of(service: &'static str, route: &Route) -> Self {
        let method = route.method.to_string();
        let counter = |status: &'static str| {
            let labels = [
                ("service", service),
                ("method", method.as_str()),
                ("route", route.path),
                ("status", status),
            ];
            metrics::counter!("http_requests_total", &labels.map(|(k, v)| (k, v.to_owned())))
        };
        let labels = [("service", service), ("method", method.as_str()), ("route", route.path)];
        let labels = labels.map(|(k, v)| (k, v.to_owned()));
        Self {
            requests: CLASSES.map(counter),
            seconds: metrics::histogram!("http_request_duration_seconds", &labels),
        }
    }
}

fn class(status: StatusCode) -> usize {
    match usize::from(status.as_u16() / 100) {
        hundreds @ 1..=5 => hundreds,
        _ => 0,
    }
}

/// Runs `task` in the request's span, which gives its lines in the log their ids.
pub(super) async fn in_span<T>(guarded: &Guarded, origin: &Origin, task: impl Future<Output = T>) -> T {
    let trace_id = origin.traceparent.as_deref().and_then(|text| text.split('-').nth(1)).unwrap_or("");
    let span = tracing::info_span!(
        "request",
        service.name = guarded.service,
        http.route = guarded.route.path,
        http.request.method = %guarded.route.method,
        http.request.id = %origin.causation_id,
        correlation.id = %origin.correlation_id,
        trace.id = trace_id,
    );
    if let Some(traceparent) = &origin.traceparent {
        (guarded.gate.continue_trace)(&span, traceparent);
    }
    task.instrument(span).await
}

/// Writes the line and counts.
pub(super) fn write(guarded: &Guarded, origin: &Origin, status: StatusCode, took: Duration) {
    guarded.metrics.requests[class(status)].increment(1);
    guarded.metrics.seconds.record(took.as_secs_f64());
    let trace_id = origin.traceparent.as_deref().and_then(|text| text.split('-').nth(1)).unwrap_or("");
    tracing::info!(
        event.action = "request",
        service.name = guarded.service,
        http.request.method = %guarded.route.method,
        http.request.id = %origin.causation_id,
        http.route = guarded.route.path,
        http.response.status_code = status.as_u16(),
        event.duration = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
        correlation.id = %origin.correlation_id,
        trace.id = trace_id,
        "{} {} {}", guarded.route.method, guarded.route.path, status.as_u16()
    );
}

/// Counts a request that no route took; its path is the client's invention, so it is no label.
pub(super) fn unmatched(status: StatusCode) {
    let labels =
        [("service", "none"), ("method", "any"), ("route", "unmatched"), ("status", CLASSES[class(status)])];
    metrics::counter!("http_requests_total", &labels).increment(1);
    tracing::debug!(event.action = "request", http.response.status_code = status.as_u16(), "no route");
}
