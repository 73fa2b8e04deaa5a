//! Ids of a request: its own, its flow's, its trace's.
//!
//! Where nobody says otherwise the trace's id is the flow's (both have 128 bits), so that calls
//! and reactions that know only the correlation id still continue the same trace.

use backbone::environment::Ids;
use backbone::work::Origin;
use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use super::Gate;

/// Names this attempt of a request; a retry takes a new one.
pub(crate) const REQUEST_ID: &str = "x-request-id";
/// Names the business flow.
pub(crate) const CORRELATION_ID: &str = "x-correlation-id";
/// W3C Trace Context.
pub(crate) const TRACEPARENT: &str = "traceparent";

const ID_LENGTH_MAX: usize = 128;

/// The origin of a request, with its trace as every request has one.
pub(crate) struct RequestOrigin {
    pub(crate) origin: Origin,
    /// The trace's id, where this request is the first of it.
    pub(crate) begins: Option<u128>,
}

/// The ids that the request brings, or new ones. What could not stand in a log as it is (spaces,
/// quotes, control characters) counts as absent.
pub(crate) fn of(headers: &HeaderMap, gate: &Gate) -> RequestOrigin {
    let ids = &*gate.environment.ids;
    let told = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).and_then(context_of);
    let correlation_id = told_id(headers, CORRELATION_ID).unwrap_or_else(|| match told {
        Some((trace, ..)) => Uuid::from_u128(trace).to_string(),
        None => ids.uuid().to_string(),
    });
    let causation_id = told_id(headers, REQUEST_ID).unwrap_or_else(|| ids.uuid().to_string());
    // Whoever keeps no span of its own passes on what it was told: a made-up one in between would
    // be a hole in the picture of those who do.
    let (traceparent, begins) = match told {
        Some((trace, span, flags)) => (format!("00-{trace:032x}-{span:016x}-{flags:02x}"), None),
        None => (new_span_of(&correlation_id, ids), Some(trace_of_flow(&correlation_id))),
    };
    RequestOrigin { origin: Origin { correlation_id, causation_id, traceparent: Some(traceparent) }, begins }
}

fn told_id(headers: &HeaderMap, name: &str) -> Option<String> {
    let id = headers.get(name)?.to_str().ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b);
    ((1..=ID_LENGTH_MAX).contains(&id.len()) && id.bytes().all(plain)).then(|| id.to_owned())
}

/// Trace, span and flags of a `traceparent`. Versions after 00 may add fields at the end.
fn context_of(text: &str) -> Option<(u128, u64, u8)> {
    let mut parts = text.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let shaped = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    if !shaped || version == "ff" || version == "00" && parts.next().is_some() {
        return None;
    }
    let trace_id = u128::from_str_radix(trace, 16).ok()?;
    let span_id = u64::from_str_radix(span, 16).ok()?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    (trace_id != 0 && span_id != 0).then_some((trace_id, span_id, flags & 1))
}

/// A new span in the trace of this flow.
pub(crate) fn new_span_of(correlation_id: &str, ids: &dyn Ids) -> String {
    format!("00-{:032x}-{:016x}-01", trace_of_flow(correlation_id), ids.random().max(1))
}

fn trace_of_flow(correlation_id: &str) -> u128 {
    let trace = match Uuid::parse_str(correlation_id) {
        Ok(uuid) => uuid.as_u128(),
        // Another system's id: a number made from it stays the same for the whole flow.
        Err(_) => {
            let half = kernel::stable_hash(correlation_id.as_bytes());
            let other = kernel::stable_hash(&half.to_be_bytes());
            u128::from(half) << 64 | u128::from(other)
        }
    };
    trace.max(1)
}

/// Names an occurrence of a problem by the request's id.
pub(crate) fn instance(request_id: &str) -> String {
    match Uuid::parse_str(request_id) {
        Ok(id) => format!("urn:uuid:{id}"),
        Err(_) => format!("/requests/{request_id}"),
    }
}

/// States the ids in the answer.
pub(crate) fn set(headers: &mut HeaderMap, origin: &Origin) {
    for (name, id) in [(REQUEST_ID, &origin.causation_id), (CORRELATION_ID, &origin.correlation_id)] {
        if let Ok(value) = HeaderValue::try_from(id) {
            headers.insert(name, value);
        }
    }
}
