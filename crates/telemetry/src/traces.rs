//! Traces over OTLP, where the feature `otlp` is built in.

#[cfg(feature = "otlp")]
mod context;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "otlp")]
mod sampling;
#[cfg(feature = "otlp")]
mod watched;

#[cfg(feature = "otlp")]
pub use context::{begin_trace, continue_trace, traceparent_of};
#[cfg(feature = "otlp")]
pub use otlp::Traces;
#[cfg(feature = "otlp")]
pub(crate) use otlp::layer;

#[cfg(not(feature = "otlp"))]
pub(crate) use absent::layer;
#[cfg(not(feature = "otlp"))]
pub use absent::{Traces, begin_trace, continue_trace, traceparent_of};

#[cfg(not(feature = "otlp"))]
mod absent {
    use tracing_subscriber::layer::Identity;

    use crate::{Config, Error};

    /// The export of traces; not built in.
    #[derive(Debug)]
    pub struct Traces;

    impl Traces {
        /// True where traces are kept.
        pub fn are_kept(&self) -> bool {
            false
        }

        /// Sends what is not sent yet.
        pub fn shut_down(self) {}
    }

    /// Makes a span the first of the trace with this id.
    pub fn begin_trace(_: &tracing::Span, _: u128) {}

    /// Makes a span part of the trace of a `traceparent`.
    pub fn continue_trace(_: &tracing::Span, _: &str) {}

    /// The `traceparent` of a span.
    pub fn traceparent_of(_: &tracing::Span) -> Option<String> {
        None
    }

    pub(crate) fn layer(config: &Config) -> Result<(Traces, Identity), Error> {
        match &config.otlp_endpoint {
            None => Ok((Traces, Identity::new())),
            Some(endpoint) => Err(Error::Traces(format!(
                "an endpoint is configured ({endpoint}) and the feature `otlp` is not built in: build with \
                 --features otlp or remove it"
            ))),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn an_endpoint_without_the_feature_is_an_error_that_names_it() {
            let config = Config { otlp_endpoint: Some("http://localhost:4318".into()), ..Config::default() };
            let error = layer(&config).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("localhost:4318") && error.contains("`otlp`"), "{error}");
        }
    }
}
