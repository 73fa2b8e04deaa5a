//! The exporter: batches over HTTP from a thread of its own, so that no request waits for it.

use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::{Config, Error};

/// The export of traces.
#[derive(Debug)]
pub struct Traces {
    provider: Option<SdkTracerProvider>,
}

impl Traces {
    /// Sends what is not sent yet.
    pub fn shut_down(self) {
        if let Some(provider) = self.provider
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(event.action = "traces-lost", error.message = %error, "the last traces are not sent");
        }
    }
}

/// Keeps a part of the traces by their id, and none of those that the caller does not keep.
#[derive(Clone, Debug)]
struct ById(Sampler);

impl ShouldSample for ById {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let parent_span = parent.map(|context| context.span().span_context().clone());
        match parent_span.filter(SpanContext::is_valid) {
            Some(span) if !span.is_sampled() => SamplingResult {
                decision: SamplingDecision::Drop,
                attributes: Vec::new(),
                trace_state: span.trace_state().clone(),
            },
            _ => self.0.should_sample(parent, trace_id, name, kind, attributes, links),
        }
    }
}

pub(crate) fn layer<S>(config: &Config) -> Result<(Traces, Option<impl Layer<S> + use<S>>), Error>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(endpoint) = &config.otlp_endpoint else {
        return Ok((Traces { provider: None }, None));
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| Error::Traces(error.to_string()))?;
    let resource = Resource::builder().with_service_name(config.service.clone()).build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(ById(Sampler::TraceIdRatioBased(config.sample_ratio)))
        .with_resource(resource)
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("a4co"));
    Ok((Traces { provider: Some(provider) }, Some(layer)))
}

/// Makes a span part of the trace of a `traceparent`: give it to whoever makes spans for requests
/// and deliveries. A text that is none, and a span that is not recorded, change nothing.
pub fn continue_trace(span: &tracing::Span, traceparent: &str) {
    if let Some(parent) = parsed(traceparent) {
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

fn parsed(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?);
    let parent = SpanContext::new(trace, span, flags, true, TraceState::default());
    parent.is_valid().then_some(parent)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{SpanData, SpanExporter};
    use tracing_subscriber::layer::SubscriberExt;

    use super::{ById, Sampler, SdkTracerProvider, TracerProvider, continue_trace};

    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl SpanExporter for Kept {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            let ids = batch.iter().map(|span| span.span_context.trace_id().to_string());
            self.0.lock().unwrap().extend(ids);
            Ok(())
        }
    }

    fn exported(ratio: f64, traceparent: &str) -> Vec<String> {
        let exporter = Kept::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .with_sampler(ById(Sampler::TraceIdRatioBased(ratio)))
            .build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("request");
            continue_trace(&span, traceparent);
            span.in_scope(|| tracing::info_span!("inner").in_scope(|| ()));
        });
        exporter.0.lock().unwrap().clone()
    }

    #[test]
    fn a_request_continues_the_trace_it_comes_from() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(exported(1.0, &format!("00-{trace}-b7ad6b7169203331-01")), [trace, trace]);
    }

    #[test]
    fn what_the_caller_does_not_keep_or_the_ratio_leaves_out_is_not_exported() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        assert!(exported(1.0, &format!("00-{trace}-b7ad6b7169203331-00")).is_empty());
        assert!(exported(0.0, &format!("00-{trace}-b7ad6b7169203331-01")).is_empty());
        assert_eq!(exported(1.0, "nonsense").len(), 2);
    }
}
