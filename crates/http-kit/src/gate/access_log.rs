//! One line and one measurement a request: method, matched route, status, duration. Never the
//! path itself, the query, a body or the caller's person: those are personal data.

use backbone::route::Route;
use backbone::trace::id_of;
use backbone::work::Origin;
use http::StatusCode;
use kernel::Duration;
use metrics::{Counter, Histogram};
use tracing::{Span, field};

use super::Guarded;
use super::origin::RequestOrigin;

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

/// The request's span, which gives its lines in the log their ids. Where traces are kept it joins
/// the request's trace, and what the request sets in motion follows from it.
pub(super) fn span(guarded: &Guarded, request: &mut RequestOrigin) -> Span {
    let origin = &mut request.origin;
    let span = tracing::info_span!(
        "request",
        otel.name = field::Empty,
        otel.kind = field::Empty,
        otel.status_code = field::Empty,
        service.name = guarded.service,
        http.route = guarded.route.path,
        http.request.method = %guarded.route.method,
        http.request.id = %origin.causation_id,
        http.response.status_code = field::Empty,
        correlation.id = %origin.correlation_id,
        trace.id = origin.traceparent.as_deref().and_then(id_of),
    );
    let tracing = guarded.gate.tracing;
    if tracing.is_on() {
        span.record(
            "otel.name",
            field::display(format_args!("{} {}", guarded.route.method, guarded.route.path)),
        );
        span.record("otel.kind", "server");
        let own = match request.begins {
            Some(trace) => tracing.begin(&span, trace),
            None => tracing.join(&span, origin.traceparent.as_deref()),
        };
        origin.traceparent = own.or(origin.traceparent.take());
    }
    span
}

/// Says in the request's span how it ended.
pub(super) fn end(guarded: &Guarded, span: &Span, status: StatusCode) {
    if guarded.gate.tracing.is_on() {
        span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
    }
}

/// Writes the line and counts.
pub(super) fn write(guarded: &Guarded, origin: &Origin, status: StatusCode, took: Duration) {
    guarded.metrics.requests[class(status)].increment(1);
    guarded.metrics.seconds.record(took.as_secs_f64());
    tracing::info!(
        event.action = "request",
        service.name = guarded.service,
        http.request.method = %guarded.route.method,
        http.request.id = %origin.causation_id,
        http.route = guarded.route.path,
        http.response.status_code = status.as_u16(),
        event.duration = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
        correlation.id = %origin.correlation_id,
        trace.id = origin.traceparent.as_deref().and_then(id_of),
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
