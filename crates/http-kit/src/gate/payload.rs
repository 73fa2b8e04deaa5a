//! What comes in: not too large, and no card number in it. The body is read here once, whatever
//! the handler does with it.

use axum::body::Body;
use axum::extract::Request;
use http::{HeaderMap, StatusCode, header};

use super::{Guarded, card_numbers};
use crate::Problem;
use crate::body::{BodyLimit, collect, says_json, too_large};

/// The request with its body in memory, or why it is refused.
pub(super) async fn screened(guarded: &Guarded, request: Request) -> Result<Request, Problem> {
    let (mut parts, body) = request.into_parts();
    if parts.uri.query().is_some_and(card_numbers::in_query) {
        return Err(card_number());
    }
    let limit = guarded.route.body_limit_bytes.unwrap_or(guarded.gate.body_limit_bytes);
    if announced(&parts.headers).is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let bytes = collect(body, limit).await?;
    if is_text(&parts.headers) && card_numbers::in_text(&bytes, says_json(&parts.headers)) {
        return Err(card_number());
    }
    parts.extensions.insert(BodyLimit(limit));
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Everything but what says to be an image or another binary: a body that says nothing is looked
/// at as well.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let binary = ["image/", "video/", "audio/", "font/", "application/pdf", "application/octet-stream"];
    !binary.iter().any(|start| kind.starts_with(start))
}

fn card_number() -> Problem {
    // Neither the number nor the field is repeated: the answer may be logged on its way.
    Problem::of(
        StatusCode::UNPROCESSABLE_ENTITY,
        "card-number-refused",
        "the request contains what looks like a card number: card data never enters here; send the \
         gateway's token instead",
    )
}
