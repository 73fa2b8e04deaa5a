//! From a call to an HTTP request: signed for its target, in its flow and trace, with a request id
//! of its own and the same idempotency key at every attempt.

use backbone::calls::CallRequest;
use backbone::environment::Environment;
use backbone::tokens::Tokens;
use bytes::Bytes;
use http::{HeaderValue, Request, header};

use crate::gate::{CORRELATION_ID, REQUEST_ID, TRACEPARENT, new_span_of};
use crate::idempotency::IDEMPOTENCY_KEY;

/// The request of one attempt, or why there can be none.
pub(super) fn signed(
    call: &CallRequest,
    tokens: &dyn Tokens,
    environment: &Environment,
) -> Result<Request<Bytes>, String> {
    let spec = call.spec;
    let token = tokens.for_service(spec.from, spec.to).map_err(|error| error.to_string())?;
    let mut authorization =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| "its token is no header".to_owned())?;
    authorization.set_sensitive(true);
    let ids = &*environment.ids;
    let traceparent = match backbone::trace::current() {
        Some(current) => current.to_string(),
        None => new_span_of(&call.correlation_id, ids),
    };
    let mut request = Request::builder()
        .method(spec.method.clone())
        .uri(&call.path_and_query)
        .header(header::AUTHORIZATION, authorization)
        .header(header::ACCEPT, "application/json")
        .header(REQUEST_ID, ids.uuid().to_string())
        .header(CORRELATION_ID, &call.correlation_id)
        .header(TRACEPARENT, traceparent);
    if let Some(key) = &call.idempotency_key {
        request = request.header(IDEMPOTENCY_KEY, key);
    }
    if call.body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let body = call.body.clone().unwrap_or_default();
    request.body(body).map_err(|error| format!("the call to {} is no HTTP request: {error}", spec.path))
}
