//! Metrics: a Prometheus recorder that is rendered on request.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::Error;

/// Buckets of durations, in seconds.
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Buckets of the values of orders, in euros (observability.md).
const EUROS: &[f64] = &[10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];

/// The process's metrics.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the recorder. Call it before anything looks a metric up.
    pub fn install() -> Result<Self, Error> {
        let recorder = builder().build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|e| Error::Twice(e.to_string()))?;
        Ok(Self(handle))
    }

    /// The text that `/metrics` answers.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Tidies up what is no longer read; call it every few seconds.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

fn builder() -> PrometheusBuilder {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_euros".to_owned()), EUROS))
        .expect("the buckets are not empty")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_values_are_histograms_with_buckets() {
        let recorder = builder().build_recorder();
        let metrics = Metrics(recorder.handle());
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("calls_total", "to" => "user").increment(2);
            metrics::histogram!("call_duration_seconds").record(0.02);
            metrics::histogram!("business_order_value_euros").record(60.0);
        });
        metrics.upkeep();
        let text = metrics.render();
        for line in [
            "calls_total{to=\"user\"} 2",
            "call_duration_seconds_bucket{le=\"0.01\"} 0",
            "call_duration_seconds_bucket{le=\"0.025\"} 1",
            "business_order_value_euros_bucket{le=\"100\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
