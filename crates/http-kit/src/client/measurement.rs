//! What is measured of outgoing calls: rate, errors, durations, retries, the breaker's state.

use backbone::calls::{CallError, CallReply, CallSpec};
use kernel::Duration;
use metrics::{Counter, Gauge, Histogram};

use super::breaker::BreakerState;

/// The metrics of a row of the table of calls, looked up once.
pub(super) struct Measurement {
    answered: Counter,
    refused: Counter,
    failed: Counter,
    unreachable: Counter,
    unknown: Counter,
    retries: Counter,
    seconds: Histogram,
    breaker: Gauge,
}

impl Measurement {
    pub(super) fn of(spec: &'static CallSpec) -> Self {
        let call = format!("{} {}", spec.method, spec.path);
        let labels = [("from", spec.from.to_owned()), ("to", spec.to.to_owned()), ("call", call)];
        let outcome = |outcome: &str| {
            let [from, to, call] = labels.clone();
            metrics::counter!("calls_total", &[from, to, call, ("outcome", outcome.to_owned())])
        };
        Self {
            answered: outcome("answered"),
            refused: outcome("refused"),
            failed: outcome("failed"),
            unreachable: outcome("unreachable"),
            unknown: outcome("unknown"),
            retries: metrics::counter!("call_retries_total", &labels),
            seconds: metrics::histogram!("call_duration_seconds", &labels),
            breaker: metrics::gauge!("call_breaker_state", "to" => spec.to),
        }
    }

    /// A call is over.
    pub(super) fn done(&self, result: &Result<CallReply, CallError>, took: Duration) {
        self.seconds.record(took.as_secs_f64());
        let outcome = match result {
            Ok(reply) if reply.status.is_server_error() => &self.failed,
            Ok(reply) if reply.status.is_client_error() => &self.refused,
            Ok(_) => &self.answered,
            Err(CallError::Unreachable { .. }) => &self.unreachable,
            Err(CallError::Unknown { .. }) => &self.unknown,
            Err(CallError::Answered { .. }) => &self.failed,
        };
        outcome.increment(1);
    }

    /// An attempt follows another.
    pub(super) fn retried(&self) {
        self.retries.increment(1);
    }

    /// What the breaker does: 0 closed, 1 half-open, 2 open.
    pub(super) fn breaker(&self, state: BreakerState) {
        self.breaker.set(match state {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        });
    }
}
