//! The format of the log: an event and its spans as one flat JSON object.

use std::fmt;

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields as _, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Prefix of the targets of spans that are left out: those of Temporal's SDK repeat a workflow's ids under other names.
const SDK_TARGET: &str = "temporalio_";

/// Formats level, message, fields and timestamp. The fields are those of the event and of its spans; the innermost field
/// of a name counts.
pub(crate) struct Flat;

impl<S> FormatEvent<S, JsonFields> for Flat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Map::new();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let is_ours = !span.metadata().target().starts_with(SDK_TARGET);
            if let Some(of_span) = span.extensions().get::<FormattedFields<JsonFields>>()
                && is_ours
            {
                fields.extend(parse_fields(of_span)?);
            }
        }
        let mut of_event = String::new();
        context.format_fields(Writer::new(&mut of_event), event)?;
        fields.extend(parse_fields(&of_event)?);
        // Events of the `log` facade have fields with their origin.
        fields.retain(|name, value| !value.is_null() && !name.starts_with("log."));

        let message = fields.remove("message").unwrap_or_else(|| Value::from(""));
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        write!(writer, "{{\"level\":\"{level}\",\"message\":{message}")?;
        for (name, value) in fields {
            write!(writer, ",{}:{value}", Value::from(name))?;
        }
        writeln!(writer, ",\"timestamp\":\"{time}\"}}")
    }
}

fn parse_fields(json: &str) -> Result<Map<String, Value>, fmt::Error> {
    serde_json::from_str(json).map_err(|_| fmt::Error)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::field::Empty;
    use tracing::{Span, error_span, info, info_span};
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Buffer {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// Returns the log of a function: one line, without its timestamp.
    fn logged(log: impl FnOnce()) -> String {
        let (buffer, other) = (Buffer::default(), Buffer::default());
        // Every layer formats the fields that a span records.
        let layers = tracing_subscriber::registry()
            .with(crate::logs::layer(buffer.clone()))
            .with(crate::logs::layer(other.clone()));
        tracing::subscriber::with_default(layers, log);
        let line = |buffer: Buffer| {
            let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
            let (line, rest) = text.split_once(",\"timestamp\":\"").unwrap();
            assert!(rest.ends_with("Z\"}\n") && !rest.trim_end().contains('\n'), "{text}");
            format!("{line}}}")
        };
        let line_of_other = line(other);
        assert_eq!(line(buffer), line_of_other);
        line_of_other
    }

    #[test]
    fn event_is_one_flat_object() {
        let line = logged(|| {
            info!(
                userId = "user1-id",
                scheduledTime = %"2025-02-25T14:00:00.000Z",
                minutes = 4,
                missing = None::<&str>,
                not_a_number = f64::NAN,
                "Scheduled \"call\"\nof today"
            );
        });
        let expected = "{\"level\":\"info\",\"message\":\"Scheduled \\\"call\\\"\\nof today\",";
        assert!(line.starts_with(expected), "{line}");
        let fields = serde_json::json!({
            "level": "info",
            "message": "Scheduled \"call\"\nof today",
            "userId": "user1-id",
            "scheduledTime": "2025-02-25T14:00:00.000Z",
            "minutes": 4,
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), fields);
    }

    #[test]
    fn fields_of_spans_are_in_the_line_and_the_innermost_counts() {
        let line = logged(|| {
            let _sdk = info_span!(target: "temporalio_sdk", "RunActivity", task = 7).entered();
            let _outer =
                error_span!("outer", userId = "u1", dialId = "d1", callId = "c1", late = Empty)
                    .entered();
            let inner = error_span!("inner", dialId = "d2", conversationId = Empty).entered();
            Span::current().record("conversationId", "p1-1");
            info!(callId = "c2", "Placed call");
            drop(inner);
        });
        let fields = serde_json::json!({
            "level": "info",
            "message": "Placed call",
            "userId": "u1",
            "dialId": "d2",
            "conversationId": "p1-1",
            "callId": "c2",
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), fields);
    }
}
