//! Gateways' hints. The signature is HMAC-SHA256 over the body, in hexadecimal, in the header
//! `X-Signature`; the key is configured by gateway. A hint proves nothing but that the gateway is
//! worth asking, so a replayed one does no harm, and none is believed.

use aws_lc_rs::hmac;
use axum::extract::State;
use backbone::Work;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_kit::{Answer, Execute, Origin as RequestOrigin, Problem, UrlPath};
use kernel::Secret;

use super::Desk;
use super::shapes::WebhookNotice;
use crate::commands::waiting;

/// Where the signature stands.
const SIGNATURE: &str = "x-signature";

/// True where `signature` is the body's under this secret. Takes the same time for every wrong one.
pub(crate) fn is_signed(secret: &Secret, body: &[u8], signature: &str) -> bool {
    let Some(signature) = from_hex(signature) else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    hmac::verify(&key, body, &signature).is_ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

pub(super) async fn receive(
    State(desk): State<Desk>,
    RequestOrigin(origin): RequestOrigin,
    UrlPath(gateway): UrlPath<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Problem> {
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let secret = desk.counter.config.webhook_secrets.get(&gateway);
    if !secret.is_some_and(|secret| is_signed(secret, &body, signature)) {
        let detail = "sign the body with HMAC-SHA256 under the key agreed on and send it in X-Signature";
        return Err(Problem::of(StatusCode::UNAUTHORIZED, "signature-invalid", detail));
    }
    let notice: WebhookNotice =
        serde_json::from_slice(&body).map_err(|e| Problem::invalid("", format!("no notice: {e}")))?;
    let idempotency = backbone::work::Idempotency {
        key: format!("POST /api/payments/webhooks/{gateway}|{}", notice.id),
        fingerprint: kernel::stable_hash(&body),
    };
    let work = Work::new("gateway-hint", origin, move |ws| {
        waiting::hinted(ws, &notice.key)?;
        Ok(serde_json::Value::Null)
    })
    .idempotent(Some(idempotency));
    desk.context.run(work).await?;
    Ok(Answer::no_content())
}
