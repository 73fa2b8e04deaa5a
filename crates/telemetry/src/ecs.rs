//! Log lines in Elastic Common Schema: one JSON object a line.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes events as ECS.
pub struct EcsFormat;

/// Keeps the fields of spans as JSON, to be merged into the events inside them.
pub(crate) struct SpanFields;

/// ECS's names for the field names that the code uses.
fn ecs_name(field: &str) -> &str {
    match field {
        "service" => "service.name",
        "trace_id" => "trace.id",
        "correlation_id" => "correlation.id",
        "action" => "event.action",
        "error" | "reason" => "error.message",
        "method" => "http.request.method",
        "status" => "http.response.status_code",
        "route" => "url.path",
        other => other,
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        // These say how a span is exported.
        if field.name().starts_with("otel.") {
            return;
        }
        self.0.insert(ecs_name(field.name()).to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, value.to_string().into());
    }
}

impl<'w> FormatFields<'w> for SpanFields {
    fn format_fields<R: tracing_subscriber::field::RecordFields>(
        &self,
        mut writer: Writer<'w>,
        fields: R,
    ) -> fmt::Result {
        let mut collected = Fields::default();
        fields.record(&mut collected);
        writer.write_str(&Value::Object(collected.0).to_string())
    }

    /// What is recorded later joins the same object: the default would write a second one behind
    /// it, and both would be unreadable.
    fn add_fields(
        &self,
        current: &'w mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        let mut collected = Fields(serde_json::from_str(current.as_str()).unwrap_or_default());
        fields.record(&mut collected);
        current.fields = Value::Object(collected.0).to_string();
        Ok(())
    }
}

impl<S> FormatEvent<S, SpanFields> for EcsFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, SpanFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Fields::default();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            let Some(fields) = extensions.get::<FormattedFields<SpanFields>>() else { continue };
            if let Ok(Value::Object(fields)) = serde_json::from_str(fields.as_str()) {
                line.0.extend(fields);
            }
        }
        event.record(&mut line);
        line.0.insert("@timestamp".to_owned(), now().into());
        line.0.insert("log.level".to_owned(), event.metadata().level().as_str().to_lowercase().into());
        line.0.insert("log.logger".to_owned(), event.metadata().target().into());
        line.0.insert("ecs.version".to_owned(), "8.11".into());
        // Outside of any service it is the process that speaks.
        line.0.entry("service.name").or_insert_with(|| "a4co".into());
        writeln!(writer, "{}", Value::Object(line.0))
    }
}

/// A log line has the wall clock's time, not the store's.
fn now() -> String {
    let mut text = String::new();
    match SystemTime.format_time(&mut Writer::new(&mut text)) {
        Ok(()) => text,
        Err(fmt::Error) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::masking::Masking;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: impl FnOnce()) -> Value {
        let lines = Lines::default();
        let writer = lines.clone();
        let format = tracing_subscriber::fmt::layer()
            .fmt_fields(SpanFields)
            .event_format(EcsFormat)
            .with_writer(Masking(move || writer.clone()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(format), log);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(text.trim_end()).unwrap()
    }

    #[test]
    fn what_a_span_learns_later_stands_beside_what_it_knew() {
        let line = logged(|| {
            let span = tracing::info_span!("request", trace.id = "t-1", late = tracing::field::Empty);
            span.record("late", 3);
            span.in_scope(|| tracing::info!(event.action = "request", "two\nlines"));
        });
        assert_eq!((&line["trace.id"], &line["late"]), (&"t-1".into(), &3.into()), "{line}");
        assert_eq!(line["event.action"], "request");
        assert_eq!(line["service.name"], "a4co");
        let time = line["@timestamp"].as_str().unwrap();
        assert!(time.parse::<kernel::Timestamp>().is_ok() && time.ends_with('Z'), "{time}");
    }

    #[test]
    fn a_line_shows_no_card_number() {
        let line = logged(|| tracing::info!("card 4111111111111111"));
        assert_eq!(line["message"], "card ****************");
    }

    #[test]
    fn a_line_is_one_ecs_object_with_the_fields_of_its_spans() {
        let lines = Lines::default();
        let writer = lines.clone();
        let format = tracing_subscriber::fmt::layer()
            .fmt_fields(SpanFields)
            .event_format(EcsFormat)
            .with_writer(Masking(move || writer.clone()));
        let subscriber = tracing_subscriber::registry().with(format);
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", trace_id = "abc", service = "order");
            let _inside = span.enter();
            tracing::warn!(action = "retry", attempts = 3, "a delivery failed");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let line: Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(line["trace.id"], "abc");
        assert_eq!(line["service.name"], "order");
        assert_eq!(line["event.action"], "retry");
        assert_eq!(line["attempts"], 3);
        assert_eq!(line["message"], "a delivery failed");
        assert_eq!(line["log.level"], "warn");
    }
}
