//! Spans and the trace contexts that travel as text.

use std::cell::Cell;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tracing_opentelemetry::OpenTelemetrySpanExt;

thread_local! {
    static BEGINS: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Ids at random, but for a trace whose id is given.
#[derive(Debug, Default)]
pub(super) struct TraceIds(RandomIdGenerator);

impl IdGenerator for TraceIds {
    fn new_trace_id(&self) -> TraceId {
        BEGINS.take().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

/// Makes a span the first of the trace with this id. A span that is not recorded stays as it is.
pub fn begin_trace(span: &tracing::Span, trace: u128) {
    let _ = span.set_parent(Context::new());
    BEGINS.set(Some(TraceId::from(trace)));
    // A span takes its id as soon as somebody asks for its context.
    let _ = span.context();
    BEGINS.set(None);
}

/// Makes a span part of the trace of a `traceparent`: give it to whoever makes spans for requests
/// and deliveries. A text that is none, and a span that is not recorded, change nothing.
pub fn continue_trace(span: &tracing::Span, traceparent: &str) {
    if let Some(parent) = parsed(traceparent) {
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

/// The `traceparent` of a span, to be given to whatever follows from it; `None` where its trace is
/// not kept.
pub fn traceparent_of(span: &tracing::Span) -> Option<String> {
    let context = span.context();
    let found = context.span();
    let own = found.span_context();
    (own.is_valid() && own.is_sampled())
        .then(|| format!("00-{}-{}-{:02x}", own.trace_id(), own.span_id(), own.trace_flags().to_u8()))
}

fn parsed(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?);
    let parent = SpanContext::new(trace, span, flags, true, TraceState::default());
    parent.is_valid().then_some(parent)
}
