//! Public keys by `kid`, each bound to the issuers that may sign with it, as a JWKS shows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};

/// A public key of a JWKS (RFC 7517), with the issuers it is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Always `RSA`.
    pub kty: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// Always `RS256`.
    pub alg: String,
    /// Names the key.
    pub kid: String,
    /// The modulus, base64url.
    pub n: String,
    /// The exponent, base64url.
    pub e: String,
    /// The services that may sign with it; `*` is all (development only).
    pub issuers: Vec<String>,
}

impl Jwk {
    pub(crate) fn new(kid: String, modulus: &[u8], exponent: &[u8], issuers: Vec<String>) -> Self {
        Self {
            kty: "RSA".to_owned(),
            usage: "sig".to_owned(),
            alg: "RS256".to_owned(),
            kid,
            n: URL_SAFE_NO_PAD.encode(modulus),
            e: URL_SAFE_NO_PAD.encode(exponent),
            issuers,
        }
    }
}

/// A key as it checks.
pub(crate) struct PublicKey {
    pub(crate) key: DecodingKey,
    issuers: Vec<String>,
}

impl PublicKey {
    /// True where this issuer may sign with it.
    pub(crate) fn belongs_to(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|own| own == "*" || own == issuer)
    }
}

/// The keys by `kid`. What is not an RSA signing key for RS256 is left out: a foreign key in a
/// JWKS must not stop ours.
pub(crate) fn by_kid(keys: &[Jwk]) -> BTreeMap<String, Arc<PublicKey>> {
    let ours = |jwk: &&Jwk| jwk.kty == "RSA" && jwk.alg == "RS256" && jwk.usage == "sig";
    let read = |jwk: &Jwk| {
        let key = DecodingKey::from_rsa_components(&jwk.n, &jwk.e).ok()?;
        Some((jwk.kid.clone(), Arc::new(PublicKey { key, issuers: jwk.issuers.clone() })))
    };
    keys.iter().filter(ours).filter_map(read).collect()
}
