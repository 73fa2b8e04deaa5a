//! Traces over OTLP, where the feature `otlp` is built in.

#[cfg(feature = "otlp")]
mod otlp;

#[cfg(feature = "otlp")]
pub(crate) use otlp::layer;
#[cfg(feature = "otlp")]
pub use otlp::{Traces, continue_trace};

#[cfg(not(feature = "otlp"))]
pub(crate) use absent::layer;
#[cfg(not(feature = "otlp"))]
pub use absent::{Traces, continue_trace};

#[cfg(not(feature = "otlp"))]
mod absent {
    use tracing_subscriber::layer::Identity;

    use crate::{Config, Error};

    /// The export of traces; not built in.
    #[derive(Debug)]
    pub struct Traces;

    impl Traces {
        /// Sends what is not sent yet.
        pub fn shut_down(self) {}
    }

    /// Makes a span part of the trace of a `traceparent`.
    pub fn continue_trace(_: &tracing::Span, _: &str) {}

    pub(crate) fn layer(config: &Config) -> Result<(Traces, Identity), Error> {
        match &config.otlp_endpoint {
            None => Ok((Traces, Identity::new())),
            Some(endpoint) => Err(Error::Traces(format!(
                "an endpoint is configured ({endpoint}) and the feature `otlp` is not built in: build with \
                 --features otlp or remove it"
            ))),
        }
    }
}
