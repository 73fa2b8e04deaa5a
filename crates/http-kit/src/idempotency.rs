//! `Idempotency-Key`: the same key does the same thing once.

use axum::extract::FromRequestParts;
use backbone::route::Caller;
use http::StatusCode;
use http::request::Parts;

use crate::Problem;

/// The header's name.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";
const KEY_LENGTH_MAX: usize = 128;

/// The caller's key, where there is one: 1 to 128 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency(Option<String>);

impl Idempotency {
    /// The key as work carries it. `scope` is method and path (`POST /api/orders`), `fingerprint`
    /// the body's: the same key with another caller or another scope is another key, and with
    /// another body a conflict.
    ///
    /// Callers without a token cannot be told apart and share one scope, which is safe as follows.
    /// An answer is repeated to whoever sends the same key and the same body, byte for byte: that
    /// takes a key (a fresh UUID, as `required` asks) and everything that the first caller wrote,
    /// and who has both has it from that caller. With the same key and another body nothing is
    /// done and nothing of the first request is told but that its key is taken; a fresh key goes
    /// through. Taking the body into the scope instead would hide that, and would place a guest's
    /// order twice whenever a client repeats it with its fields in another order. What was stored
    /// under a resource is guarded by that resource's own key, checked before this is looked up.
    pub fn scoped(
        &self,
        scope: &str,
        caller: &Caller,
        fingerprint: u64,
    ) -> Option<backbone::work::Idempotency> {
        let key = self.0.as_deref()?;
        let key = format!("{scope}|{}|{key}", caller.label());
        Some(backbone::work::Idempotency { key, fingerprint })
    }

    /// The key itself.
    pub fn key(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The key; a problem (400) where the caller sent none.
    pub fn required(&self) -> Result<&str, Problem> {
        self.key().ok_or_else(|| {
            let remedy = "send a header Idempotency-Key with a fresh UUID; repeat it when you try again";
            Problem::of(StatusCode::BAD_REQUEST, "idempotency-key-missing", remedy)
                .at("Idempotency-Key", remedy)
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Idempotency {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        let visible = |key: &&str| {
            (1..=KEY_LENGTH_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
        };
        match value.to_str().ok().filter(visible) {
            Some(key) if values.next().is_none() => Ok(Self(Some(key.to_owned()))),
            _ => {
                let remedy = "one value of 1 to 128 visible ASCII characters without spaces, such as a UUID";
                let detail = format!("Idempotency-Key must be {remedy}");
                Err(Problem::of(StatusCode::BAD_REQUEST, "idempotency-key-malformed", detail)
                    .at("Idempotency-Key", remedy))
            }
        }
    }
}
