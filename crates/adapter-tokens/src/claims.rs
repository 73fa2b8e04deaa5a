//! What our tokens say. Every claim is required and of its type: a claim that is missing, mistyped
//! or not ours makes the token invalid. No `Debug`: claims about people are not for logs.

use backbone::route::Role;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The market's own audience.
pub(crate) const AUDIENCE: &str = "a4co-marketplace";
/// The issuer of people's tokens.
pub const PEOPLE_ISSUER: &str = "auth";
/// The header's `typ` of a service's token (RFC 8725, explicit typing: neither kind passes for
/// the other).
pub(crate) const SERVICE_TYPE: &str = "service+jwt";
/// The header's `typ` of a person's token.
pub(crate) const PERSON_TYPE: &str = "person+jwt";

/// A service's token. Times are whole seconds since 1970.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceClaims {
    /// The calling service.
    pub(crate) iss: String,
    /// The called service.
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) iat: u64,
    pub(crate) nbf: u64,
    pub(crate) exp: u64,
    pub(crate) jti: String,
    pub(crate) permissions: Vec<String>,
}

/// A person's token.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonClaims {
    pub(crate) iss: String,
    pub(crate) sub: Uuid,
    pub(crate) aud: String,
    pub(crate) iat: u64,
    pub(crate) nbf: u64,
    pub(crate) exp: u64,
    pub(crate) jti: String,
    pub(crate) role: Role,
}
