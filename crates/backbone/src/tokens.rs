//! Tokens: who somebody says to be, signed. The keys and the format are an adapter's.

use std::collections::BTreeMap;

use kernel::{Duration, Timestamp};
use uuid::Uuid;

use crate::calls::CallSpec;
use crate::module::Module;
use crate::route::{Caller, Role};

/// What a token says, once it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who calls.
    pub caller: Caller,
    /// What a service may do here (`call:GET /api/users/{}/standing`); empty for people, whose
    /// role says it.
    pub permissions: std::sync::Arc<[String]>,
    /// When it ends.
    pub expires: Timestamp,
    /// What must come for the first time, or the request is a replay; nothing for people.
    pub once: Option<Once>,
}

/// What is good once: whoever lets the request in asks `Claims::once`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// Made of the token's id and the request's.
    pub key: String,
    /// When the token is not believed any more by anybody.
    pub until: Timestamp,
}

/// Why a token is not believed, or not made. None of them repeats the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token of ours: wrong shape, algorithm, key, signature, issuer, audience or target.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// Its time is over, or has not come.
    #[error("the token is not valid at this time: ask for a new one")]
    Expired,
    /// This token came with this request id before.
    #[error("this request was made before: a retry takes a new request id and the same idempotency key")]
    Replayed,
    /// Nothing is wrong with the token: it cannot be made or checked now.
    #[error("tokens cannot be checked just now: {0}")]
    Unavailable(String),
}

/// Makes and checks tokens.
///
/// Promises:
/// - What `for_service(from, to)` gives is believed by `verify` with target `to` and no other.
/// - A service's token is good once for each request id; without one it is not believed. `verify` says
///   what must come for the first time, and the gate asks the memory that all replicas share.
/// - Tokens are never in an error, a log or a `Debug` output.
pub trait Tokens: Send + Sync + 'static {
    /// The token with which `from` calls `to`: the same one for up to four minutes.
    fn for_service(&self, from: &str, to: &str) -> Result<String, TokenError>;

    /// A token for a person, good for `lifetime`.
    fn for_person(&self, person: Uuid, role: Role, lifetime: Duration) -> Result<String, TokenError>;

    /// Checks a token that came to the service `target` with this request id.
    fn verify(&self, token: &str, target: &str, request_id: Option<&str>) -> Result<Verified, TokenError>;
}

/// A path with its parameters' names left out: two sides may name them differently.
pub fn path_shape(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// The permission to call a route.
pub fn permission_to_call(method: &http::Method, path: &str) -> String {
    format!("call:{method} {}", path_shape(path))
}

/// Which permissions each (calling, called) pair of services has: made from what the modules
/// declare, so that nobody can call what its `ports.rs` does not list.
pub fn call_permissions<'a>(modules: impl IntoIterator<Item = &'a Module>) -> CallPermissions {
    permissions_of(modules.into_iter().flat_map(|module| module.calls.iter().copied()))
}

/// Calling and called service → permissions.
pub type CallPermissions = BTreeMap<(String, String), Vec<String>>;

/// The permissions that these rows of the table of calls give.
pub fn permissions_of(calls: impl IntoIterator<Item = &'static CallSpec>) -> CallPermissions {
    let mut permissions = CallPermissions::new();
    for spec in calls {
        let pair = (spec.from.to_owned(), spec.to.to_owned());
        permissions.entry(pair).or_default().push(permission_to_call(&spec.method, spec.path));
    }
    for granted in permissions.values_mut() {
        granted.sort();
        granted.dedup();
    }
    permissions
}
