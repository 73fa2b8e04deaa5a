//! Lines and traces: what an operator says of them, and how the market's spans reach the exporter.

use backbone::trace::{Hooks, Tracing};
use clap::{Args, ValueEnum};

/// What is kept of what happens, and how it looks.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Where traces go, over OTLP and plain HTTP: http://localhost:4318. None are kept without it.
    #[arg(long = "otlp", global = true, env = "A4CO_OTLP", value_name = "URL")]
    pub otlp: Option<String>,
    /// Which part of the traces is kept, from 0 to 1: decided by a trace's id, so that every
    /// process keeps the same ones.
    #[arg(long, global = true, env = "A4CO_TRACE_SAMPLE", default_value_t = 1.0, value_parser = part)]
    pub trace_sample: f64,
    /// How log lines look.
    #[arg(long, global = true, env = "A4CO_LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto)]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Text.
    Text,
    /// JSON, Elastic Common Schema.
    Json,
}

fn part(text: &str) -> Result<f64, String> {
    let part = text.parse::<f64>().ok().filter(|part| (0.0..=1.0).contains(part));
    part.ok_or_else(|| "write a number from 0 (none) to 1 (all)".to_owned())
}

impl Options {
    /// Starts lines and traces; shut down what it gives, or the last traces are lost.
    pub(crate) fn start(&self, filter: &str) -> Result<telemetry::Traces, telemetry::Error> {
        telemetry::start(&telemetry::Config {
            filter: filter.to_owned(),
            format: match self.log_format {
                LogFormat::Auto => telemetry::Format::Auto,
                LogFormat::Text => telemetry::Format::Text,
                LogFormat::Json => telemetry::Format::Json,
            },
            otlp_endpoint: self.otlp.clone(),
            sample_ratio: self.trace_sample,
            ..telemetry::Config::default()
        })
    }
}

/// Sends the last traces, on a thread that may wait.
pub(crate) async fn flush(traces: telemetry::Traces) {
    let flushed = tokio::task::spawn_blocking(move || traces.shut_down()).await;
    if let Err(error) = flushed {
        tracing::warn!(%error, "the last traces are not sent");
    }
}

/// How a market's spans join its traces in this process.
pub(crate) fn joined() -> Tracing {
    match telemetry::keeps_traces() {
        false => Tracing::OFF,
        true => Tracing::on(Hooks {
            begin: telemetry::begin_trace,
            join: telemetry::continue_trace,
            context: telemetry::traceparent_of,
        }),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn read(arguments: &[&str]) -> Result<Options, String> {
        let arguments = ["a4co"].iter().chain(arguments);
        Cli::try_parse_from(arguments).map(|cli| cli.traces).map_err(|error| error.to_string())
    }

    #[test]
    fn the_options_stand_before_and_behind_the_command() {
        for arguments in [
            ["--otlp", "http://localhost:4318", "--trace-sample", "0.25", "--log-format", "json", "demo"],
            ["demo", "--otlp", "http://localhost:4318", "--trace-sample", "0.25", "--log-format", "json"],
        ] {
            let options = read(&arguments).unwrap();
            assert_eq!(options.otlp.as_deref(), Some("http://localhost:4318"));
            assert_eq!(
                (options.trace_sample.to_string(), options.log_format),
                ("0.25".into(), LogFormat::Json)
            );
        }
    }

    #[test]
    fn a_part_that_is_none_is_refused_with_a_remedy() {
        for wrong in ["1.5", "-0.1", "NaN", "half"] {
            let error = read(&[&format!("--trace-sample={wrong}"), "serve"]).unwrap_err();
            assert!(error.contains("from 0 (none) to 1 (all)"), "{error}");
        }
    }
}
