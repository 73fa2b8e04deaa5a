//! Floor 2: `backbone::tokens::Tokens` with RS256 JWTs (security.md, "Service tokens").
//!
//! What this crate must not know: any service, route or event; HTTP; where its data directory
//! comes from. A token, a key or a claim never stands in an error or a `Debug` output.

mod claims;
mod elsewhere;
mod keys;
mod public_key;
mod secret;
mod signed_tokens;
#[cfg(test)]
mod tests;

pub use claims::PEOPLE_ISSUER;
pub use keys::{KeyError, Mode, SigningKeys, generate};
pub use public_key::Jwk;
pub use secret::Secret;
pub use signed_tokens::{Limits, SignedTokens};
