//! Seeing what happens: logs, metrics and traces, set up once by the binary.
//!
//! What this crate must not know: what is logged or counted. Everybody uses the `tracing` and
//! `metrics` façades; personal data never goes into either.

mod ecs;
mod masking;
mod metrics;
mod set_up;
mod traces;

pub use ecs::EcsFormat;
pub use metrics::Metrics;
pub use set_up::{Config, Format, keeps_traces, start};
pub use traces::{Traces, begin_trace, continue_trace, traceparent_of};

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is not one.
    #[error("the log filter {0:?} is not one: write a level such as info, or target=level pairs: {1}")]
    Filter(String, String),
    /// It was set up before.
    #[error("logs or metrics were set up before in this process: {0}")]
    Twice(String),
    /// Traces are wanted and not built in, or their exporter cannot be made.
    #[error("traces cannot be exported: {0}")]
    Traces(String),
}

/// Sets up logs without traces: readable text on a terminal, ECS JSON lines elsewhere, both on
/// standard error.
pub fn logs(filter: &str) -> Result<(), Error> {
    let config = Config { filter: filter.to_owned(), ..Config::default() };
    start(&config).map(|_| ())
}
