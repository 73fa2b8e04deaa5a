//! Versions of things: `ETag` on what is read, `If-Match` on what is changed.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use crate::Problem;

/// A version as a strong entity tag: `"3"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag(pub u64);

impl EntityTag {
    /// Reads `"3"`; weak tags, lists and `*` name no version.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix('"')?.strip_suffix('"')?;
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse().ok().map(Self)).flatten()
    }
}

impl std::fmt::Display for EntityTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl From<EntityTag> for HeaderValue {
    fn from(tag: EntityTag) -> Self {
        HeaderValue::try_from(tag.to_string()).expect("digits in quotes are a header")
    }
}

/// The version that the caller wants to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfMatch(Option<u64>);

impl IfMatch {
    /// The version, where the caller said one.
    pub fn version(&self) -> Option<u64> {
        self.0
    }

    /// The version; a problem (428) where the caller said none.
    pub fn required(&self) -> Result<u64, Problem> {
        self.0.ok_or_else(|| {
            Problem::of(
                StatusCode::PRECONDITION_REQUIRED,
                "if-match-missing",
                "read the resource first and send the ETag of what you read as If-Match: \"3\"",
            )
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            return Ok(Self(None));
        };
        match value.to_str().ok().and_then(EntityTag::parse) {
            Some(tag) => Ok(Self(Some(tag.0))),
            None => Err(Problem::of(
                StatusCode::BAD_REQUEST,
                "if-match-malformed",
                "If-Match must be one strong entity tag as the ETag header gave it, such as \"3\"",
            )
            .at("If-Match", "one strong entity tag such as \"3\"")),
        }
    }
}
