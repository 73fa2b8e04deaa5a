//! An exporter that says once that nobody takes the traces, and once that somebody does again: a
//! collector that is away is no reason to fill the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

#[derive(Debug)]
pub(super) struct Watched<E> {
    exporter: E,
    endpoint: String,
    is_away: Arc<AtomicBool>,
}

impl<E> Watched<E> {
    /// `is_away` says whether the last batch was not taken.
    pub(super) fn new(exporter: E, endpoint: String, is_away: Arc<AtomicBool>) -> Self {
        Self { exporter, endpoint, is_away }
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.exporter.export(batch).await;
        let was_away = self.is_away.swap(exported.is_err(), Ordering::Relaxed);
        match &exported {
            Err(error) if !was_away => tracing::warn!(
                event.action = "traces-lost",
                endpoint = self.endpoint,
                spans,
                error.message = %error,
                "traces are not taken and are lost until they are again; nothing else waits for them"
            ),
            Ok(()) if was_away => tracing::info!(
                event.action = "traces-taken",
                endpoint = self.endpoint,
                "traces are taken again"
            ),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use opentelemetry_sdk::error::OTelSdkError;
    use tracing::{Event, Level, Subscriber};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt};

    use super::*;

    /// Takes what it is told to take.
    #[derive(Debug)]
    struct Scripted(Mutex<Vec<bool>>);

    impl SpanExporter for Scripted {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            match self.0.lock().unwrap().remove(0) {
                true => Ok(()),
                false => Err(OTelSdkError::InternalFailure("refused".to_owned())),
            }
        }
    }

    #[derive(Clone, Default)]
    struct Levels(Arc<Mutex<Vec<Level>>>);

    impl<S: Subscriber> Layer<S> for Levels {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(*event.metadata().level());
        }
    }

    #[test]
    fn a_collector_that_is_away_is_said_once_and_once_that_it_is_back() {
        let takes = vec![true, false, false, false, true, true, false];
        let rounds = takes.len();
        let (scripted, is_away) = (Scripted(Mutex::new(takes)), Arc::default());
        let watched = Watched::new(scripted, "http://localhost:4318".to_owned(), is_away);
        let levels = Levels::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(levels.clone()), || {
            for _ in 0..rounds {
                let _ = futures::executor::block_on(watched.export(Vec::new()));
            }
        });
        assert_eq!(*levels.0.lock().unwrap(), [Level::WARN, Level::INFO, Level::WARN]);
    }
}
