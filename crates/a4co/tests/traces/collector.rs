//! A collector of traces: takes what is posted to `/v1/traces` and keeps the spans.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;

/// A span, as far as a test looks at it.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// What it is called.
    pub(crate) name: String,
    /// Its trace.
    pub(crate) trace: String,
    /// Itself.
    pub(crate) id: String,
    /// What it is below; empty for none.
    pub(crate) parent: String,
    attributes: Vec<(String, String)>,
}

impl Span {
    /// A text that it says of itself; empty where it does not.
    pub(crate) fn says(&self, key: &str) -> &str {
        let found = self.attributes.iter().find(|(known, _)| known == key);
        found.map_or("", |(_, value)| value.as_str())
    }
}

/// A collector on a port of its own.
#[derive(Clone)]
pub(crate) struct Collector {
    /// Where it listens.
    pub(crate) url: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    /// Listens until the test ends.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self { url, spans: Arc::default() };
        let (own, spans) = (collector.clone(), collector.spans.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let spans = spans.clone();
                std::thread::spawn(move || take(stream, &spans));
            }
        });
        own
    }

    /// Everything so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }
}

/// Takes the requests of a connection.
fn take(stream: TcpStream, spans: &Mutex<Vec<Span>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line == "\r\n" => break,
                Ok(_) => head.push(line.to_lowercase()),
            }
        }
        assert!(head[0].starts_with("post /v1/traces "), "{head:?}");
        let length = head.iter().find_map(|line| line.strip_prefix("content-length:"));
        let mut body = vec![0; length.unwrap().trim().parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        spans.lock().unwrap().extend(read(&body));
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        reader.get_mut().write_all(answer).unwrap();
    }
}

fn read(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    scopes
        .flat_map(|scope| scope.spans)
        .map(|span| Span {
            name: span.name,
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            attributes: span
                .attributes
                .into_iter()
                .map(|pair| (pair.key, text(pair.value.and_then(|value| value.value))))
                .collect(),
        })
        .collect()
}
