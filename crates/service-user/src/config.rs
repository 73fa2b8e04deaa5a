//! What an operator can set.

use aws_lc_rs::hmac;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings, each with a default that suits a small market.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Segments whose people are served first when stock is short.
    #[garde(length(max = 100), inner(length(chars, min = 1, max = 100)))]
    pub vip_segments: Vec<String>,
    /// Segments whose people are served before the usual.
    #[garde(length(max = 100), inner(length(chars, min = 1, max = 100)))]
    pub high_segments: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { vip_segments: vec!["vip".to_owned()], high_segments: vec!["frequent".to_owned()] }
    }
}

/// The settings with the market's own key.
#[derive(Clone, Debug)]
pub struct Config {
    /// Hashes what only one account may have.
    pub hash_key: HashKey,
    /// What an operator set.
    pub settings: Settings,
}

impl Config {
    /// The defaults, with the market's own key.
    pub fn new(hash_key: HashKey) -> Self {
        Self { hash_key, settings: Settings::default() }
    }
}

/// The key of the hashes under which addresses are looked up (HMAC-SHA256). Whoever has the
/// database but not this key cannot try addresses against it. Prints as `***`.
#[derive(Clone)]
pub struct HashKey(hmac::Key);

impl HashKey {
    /// A key of 32 random bytes, the same for the life of the market.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The hash of a mail address as people mean it: without regard to case and outer spaces.
    pub fn email(&self, address: &str) -> String {
        let same = address.trim().to_lowercase();
        let tag = hmac::sign(&self.0, same.as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey(***)")
    }
}
