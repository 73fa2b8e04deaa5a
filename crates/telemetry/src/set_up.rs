//! Setting up: logs to standard error, readable text on a terminal and JSON lines otherwise, and
//! the export of traces.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Subscriber;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::ecs::{EcsFormat, SpanFields};
use crate::masking::Masking;
use crate::{Error, Traces, traces};

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Text.
    Text,
    /// JSON in Elastic Common Schema.
    Json,
}

/// How telemetry is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name under which traces are exported.
    pub service: String,
    /// Which lines are written: `info,engine=debug`.
    pub filter: String,
    /// How they look.
    pub format: Format,
    /// Where traces go (`http://localhost:4318`); none are made without it. Needs the feature
    /// `otlp`. Plain HTTP only: a collector stands beside the process.
    pub otlp_endpoint: Option<String>,
    /// Which part of the traces is kept, 0 to 1; decided by the trace's id, so that all processes
    /// keep the same ones.
    pub sample_ratio: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service: "a4co".to_owned(),
            filter: "info".to_owned(),
            format: Format::Auto,
            otlp_endpoint: None,
            sample_ratio: 1.0,
        }
    }
}

/// Starts logs and traces. What it gives flushes the traces when it is shut down.
pub fn start(config: &Config) -> Result<Traces, Error> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|error| Error::Filter(config.filter.clone(), error.to_string()))?;
    let (traces, exported) = traces::layer(config)?;
    // The filter is the lines' alone: whoever wants few lines wants their traces all the same.
    let lines = lines(config).with_filter(filter);
    let subscriber = tracing_subscriber::registry().with(exported).with(lines);
    subscriber.try_init().map_err(|error| Error::Twice(error.to_string()))?;
    KEPT.store(traces.are_kept(), Ordering::Relaxed);
    Ok(traces)
}

/// Whether this process keeps traces: like its lines, they are one for the whole process.
static KEPT: AtomicBool = AtomicBool::new(false);

/// True where traces are kept: only then is it worth making spans for them alone.
pub fn keeps_traces() -> bool {
    KEPT.load(Ordering::Relaxed)
}

fn lines<S>(config: &Config) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let terminal = std::io::stderr().is_terminal();
    let text = match config.format {
        Format::Auto => terminal,
        Format::Text => true,
        Format::Json => false,
    };
    let layer = fmt::layer().with_writer(Masking(std::io::stderr));
    match text {
        true => Box::new(layer.with_ansi(terminal).with_target(false)),
        false => Box::new(layer.fmt_fields(SpanFields).event_format(EcsFormat)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_none_is_named_with_a_remedy() {
        let config = Config { filter: "info,=,".to_owned(), ..Config::default() };
        let error = start(&config).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("\"info,=,\"") && error.contains("target=level"), "{error}");
    }

    #[test]
    fn telemetry_starts_once() {
        let config = Config { format: Format::Json, ..Config::default() };
        assert!(start(&config).is_ok());
        assert!(matches!(start(&config), Err(Error::Twice(_))));
    }
}
