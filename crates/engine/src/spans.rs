//! The spans of what the engine does, where traces are kept, and the trace context that is passed
//! on from it. Where none are kept, no span is made and the context passes through unchanged.
//! A span says what was done to which thing, never about whom.

use backbone::saga::PendingCall;
use backbone::timer::Timer;
use backbone::trace::{Tracing, id_of};
use kernel::Envelope;
use tracing::{Span, field, info_span};

use crate::decider::{Part, PartOutcome};
use crate::host::Host;

/// Something that is under way.
pub(crate) struct Opened {
    pub(crate) span: Span,
    /// What whatever follows from it is given.
    pub(crate) traceparent: Option<String>,
}

fn open(tracing: Tracing, parent: Option<&str>, make: impl FnOnce() -> Span) -> Opened {
    let span = if tracing.is_on() { make() } else { Span::none() };
    let traceparent = tracing.join(&span, parent);
    Opened { span, traceparent }
}

/// A unit of work; below the request that wants it.
pub(crate) fn command(host: &Host, name: &'static str, parent: Option<&str>) -> Opened {
    open(host.tracing(), parent, || {
        info_span!(
            "command",
            otel.name = name,
            otel.status_code = field::Empty,
            service.name = host.service(),
            command = name,
            trace.id = parent.and_then(id_of),
        )
    })
}

/// A delivery, from its turn until its effect is durable; below whatever published the event.
pub(crate) fn reaction(host: &Host, consumer: &str, envelope: &Envelope) -> Opened {
    let parent = envelope.traceparent.as_deref();
    open(host.tracing(), parent, || {
        info_span!(
            "reaction",
            otel.name = format_args!("reaction {}", envelope.kind),
            otel.kind = "consumer",
            otel.status_code = field::Empty,
            service.name = host.service(),
            consumer,
            event.type = envelope.kind,
            event.id = %envelope.id,
            event.subject = envelope.subject,
            correlation.id = envelope.correlation_id,
            trace.id = parent.and_then(id_of),
        )
    })
}

/// A saga's call, from when it is made until its reply is recorded.
pub(crate) fn saga_call(host: &Host, call: &PendingCall) -> Opened {
    let parent = call.traceparent.as_deref();
    open(host.tracing(), parent, || {
        info_span!(
            "saga.call",
            otel.name = format_args!("saga.call {} {}", call.saga, step_of(&call.key)),
            otel.kind = "client",
            otel.status_code = field::Empty,
            service.name = host.service(),
            saga = call.saga,
            saga.id = %call.id,
            saga.step = step_of(&call.key),
            saga.call = call.key,
            correlation.id = call.correlation_id,
            trace.id = parent.and_then(id_of),
        )
    })
}

/// What a saga makes of a call's reply.
pub(crate) fn saga_step(host: &Host, call: &PendingCall, parent: Option<&str>) -> Opened {
    open(host.tracing(), parent, || {
        info_span!(
            "saga.step",
            otel.name = format_args!("saga.step {} {}", call.saga, step_of(&call.key)),
            otel.status_code = field::Empty,
            service.name = host.service(),
            saga = call.saga,
            saga.id = %call.id,
            saga.step = step_of(&call.key),
            correlation.id = call.correlation_id,
            trace.id = parent.and_then(id_of),
        )
    })
}

/// A timer that is due; below whatever set it.
pub(crate) fn timer(host: &Host, timer: &Timer) -> Opened {
    let parent = timer.traceparent.as_deref();
    open(host.tracing(), parent, || {
        info_span!(
            "timer",
            otel.name = format_args!("timer {}", timer.name),
            otel.status_code = field::Empty,
            service.name = host.service(),
            timer = timer.name,
            timer.key = timer.key,
            trace.id = parent.and_then(id_of),
        )
    })
}

/// Marks what did not take effect.
pub(crate) fn close(parts: &[Part], outcomes: &[PartOutcome]) {
    for (part, outcome) in parts.iter().zip(outcomes) {
        if !matches!(outcome, PartOutcome::Done(_)) {
            failed(&part.span);
        }
    }
}

/// Marks what failed.
pub(crate) fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}

/// The step in a call's key, which is made of saga, id, step, direction and attempt.
fn step_of(key: &str) -> &str {
    key.split('/').nth(2).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::step_of;

    #[test]
    fn a_calls_key_names_its_step() {
        assert_eq!(step_of("order-fulfilment/0190-1/validate-customer/do/1.0/0"), "validate-customer");
        assert_eq!(step_of("nonsense"), "nonsense");
    }
}
