//! The exporter: batches over HTTP from a thread of its own, so that no request waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::registry::LookupSpan;

use super::context::TraceIds;
use super::sampling::ById;
use super::watched::Watched;
use crate::{Config, Error};

/// How many spans may wait to be sent; what comes on top is lost, and nobody waits for room.
const WAITING_MAX: usize = 16_384;

/// How long a batch may take. It is sent once: what is not taken is lost, and the next one follows.
const EXPORT_LIMIT: Duration = Duration::from_secs(3);

/// How long the last traces are waited for at shutdown.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Where a collector takes traces (OTLP's path).
const TRACES_PATH: &str = "v1/traces";

/// The export of traces.
#[derive(Debug)]
pub struct Traces {
    provider: Option<SdkTracerProvider>,
    is_away: Arc<AtomicBool>,
}

impl Traces {
    /// True where traces are kept.
    pub fn are_kept(&self) -> bool {
        self.provider.is_some()
    }

    /// Sends what is not sent yet, for five seconds at most; it blocks its thread so long.
    pub fn shut_down(self) {
        if let Some(provider) = self.provider
            && let Err(error) = provider.shutdown_with_timeout(FLUSH_LIMIT)
            // That a collector is away was said when it was found.
            && !self.is_away.load(Ordering::Relaxed)
        {
            tracing::warn!(event.action = "traces-lost", error.message = %error, "the last traces are not sent");
        }
    }
}

pub(crate) fn layer<S>(config: &Config) -> Result<(Traces, Option<impl Layer<S> + use<S>>), Error>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let is_away = Arc::<AtomicBool>::default();
    let Some(endpoint) = &config.otlp_endpoint else {
        return Ok((Traces { provider: None, is_away }, None));
    };
    let endpoint = address(endpoint)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(&endpoint)
        .with_timeout(EXPORT_LIMIT)
        .with_retry_policy(RetryPolicy::disabled())
        .build()
        .map_err(|error| Error::Traces(error.to_string()))?;
    let resource = Resource::builder().with_service_name(config.service.clone()).build();
    let batches = BatchSpanProcessor::builder(Watched::new(exporter, endpoint, is_away.clone()))
        .with_batch_config(BatchConfigBuilder::default().with_max_queue_size(WAITING_MAX).build())
        .build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(batches)
        .with_sampler(ById::new(config.sample_ratio))
        .with_id_generator(TraceIds::default())
        .with_resource(resource)
        .build();
    let layer = spans(&provider);
    Ok((Traces { provider: Some(provider), is_away }, Some(layer)))
}

/// From spans to what is exported. Finer levels than `info` are for logs: the exporter's own
/// client makes such spans, and would be exported by itself for ever.
fn spans<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("a4co"))
        .with_context_activation(false)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_filter(LevelFilter::INFO)
}

/// The collector's address, with the path where it takes traces unless another is given.
fn address(endpoint: &str) -> Result<String, Error> {
    let wrong = |why: &str| {
        let remedy = "write it as http://localhost:4318";
        Err(Error::Traces(format!("the endpoint {endpoint:?} {why}: {remedy}")))
    };
    let Some(rest) = endpoint.strip_prefix("http://") else {
        return wrong("is not plain HTTP, which is all that is spoken here");
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    match (host, path) {
        ("", _) => wrong("names no host"),
        (host, "") => Ok(format!("http://{host}/{TRACES_PATH}")),
        _ => Ok(endpoint.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{SpanData, SpanExporter};
    use tracing_subscriber::layer::SubscriberExt;

    use super::super::context::{begin_trace, continue_trace, traceparent_of};
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<Vec<SpanData>>>);

    impl SpanExporter for Kept {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }
    }

    fn exported(ratio: f64, run: impl FnOnce()) -> Vec<SpanData> {
        let exporter = Kept::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .with_sampler(ById::new(ratio))
            .with_id_generator(TraceIds::default())
            .build();
        let subscriber = tracing_subscriber::registry().with(spans(&provider));
        tracing::subscriber::with_default(subscriber, run);
        exporter.0.lock().unwrap().clone()
    }

    fn continued(ratio: f64, traceparent: &str) -> Vec<String> {
        let spans = exported(ratio, || {
            let span = tracing::info_span!("request");
            continue_trace(&span, traceparent);
            span.in_scope(|| tracing::info_span!("inner").in_scope(|| ()));
        });
        spans.iter().map(|span| span.span_context.trace_id().to_string()).collect()
    }

    #[test]
    fn a_request_continues_the_trace_it_comes_from() {
        assert_eq!(continued(1.0, &format!("00-{TRACE}-b7ad6b7169203331-01")), [TRACE, TRACE]);
    }

    #[test]
    fn what_the_caller_does_not_keep_or_the_ratio_leaves_out_is_not_exported() {
        assert!(continued(1.0, &format!("00-{TRACE}-b7ad6b7169203331-00")).is_empty());
        assert!(continued(0.0, &format!("00-{TRACE}-b7ad6b7169203331-01")).is_empty());
        assert_eq!(continued(1.0, "nonsense").len(), 2);
    }

    #[test]
    fn a_trace_begins_under_the_id_it_is_given_and_what_follows_is_below_it() {
        let spans = exported(1.0, || {
            let request = tracing::info_span!("request");
            begin_trace(&request, u128::from_str_radix(TRACE, 16).unwrap());
            let passed_on = traceparent_of(&request).unwrap();
            assert!(
                passed_on.starts_with(&format!("00-{TRACE}-")) && passed_on.ends_with("-01"),
                "{passed_on}"
            );
            let reaction = tracing::info_span!(parent: None, "reaction");
            continue_trace(&reaction, &passed_on);
        });
        let [reaction, request] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!(request.parent_span_id, opentelemetry::trace::SpanId::INVALID);
        assert_eq!(reaction.parent_span_id, request.span_context.span_id());
        assert_eq!(reaction.span_context.trace_id(), request.span_context.trace_id());
    }

    #[test]
    fn a_span_that_is_not_kept_has_no_context_to_pass_on() {
        let spans = exported(0.0, || {
            let span = tracing::info_span!("request");
            begin_trace(&span, 7);
            assert_eq!(traceparent_of(&span), None);
        });
        assert!(spans.is_empty());
        assert_eq!(traceparent_of(&tracing::Span::none()), None);
    }

    #[test]
    fn spans_finer_than_info_are_not_exported() {
        assert!(exported(1.0, || drop(tracing::debug_span!("a connection of the exporter"))).is_empty());
    }

    #[test]
    fn an_endpoint_is_plain_http_and_gets_the_path_it_lacks() {
        for (given, wanted) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            ("http://tempo/otlp/v1/traces", "http://tempo/otlp/v1/traces"),
        ] {
            assert_eq!(address(given).unwrap(), wanted);
        }
        for wrong in ["https://tempo", "localhost:4318", "http:///v1/traces", ""] {
            let error = address(wrong).unwrap_err().to_string();
            assert!(error.contains(wrong) && error.contains("http://localhost:4318"), "{error}");
        }
    }
}
