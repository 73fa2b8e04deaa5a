//! `Tokens` with RS256 JWTs.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use backbone::environment::Environment;
use backbone::route::{Caller, Role};
use backbone::tokens::{CallPermissions, Once, TokenError, Tokens, Verified};
use jsonwebtoken::{Algorithm, Header, Validation};
use kernel::{Duration, Timestamp};
use lru::LruCache;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::claims::{AUDIENCE, PEOPLE_ISSUER, PERSON_TYPE, PersonClaims, SERVICE_TYPE, ServiceClaims};
use crate::elsewhere::{Elsewhere, Sought, claimed_issuer};
use crate::keys::{Published, SigningKeys};
use crate::public_key::{Jwk, PublicKey, by_kid};

const LIFETIME_SECONDS: u64 = 5 * 60;
const REUSE_SECONDS: u64 = 4 * 60;
const LEEWAY_SECONDS: u64 = 30;
const REFRESH_SECONDS: u64 = 10;
const TOKEN_BYTES_MAX: usize = 8 * 1024;
const ID_BYTES_MAX: usize = 128;

/// What is remembered at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Checked tokens.
    pub verified: NonZeroUsize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { verified: NonZeroUsize::new(10_000).expect("not zero") }
    }
}

/// Makes and checks tokens with the keys of this process.
pub struct SignedTokens {
    environment: Environment,
    permissions: CallPermissions,
    keys: Mutex<Keys>,
    elsewhere: Mutex<Elsewhere>,
    wanted: Arc<Notify>,
    made: Mutex<HashMap<(String, String), Made>>,
    verified: Mutex<LruCache<[u8; 32], Arc<Known>>>,
}

struct Keys {
    signing: Arc<SigningKeys>,
    public: Arc<BTreeMap<String, Arc<PublicKey>>>,
    refreshed: u64,
}

struct Made {
    token: String,
    at: u64,
}

/// A token that was believed once: what it says does not change, only the time does.
struct Known {
    caller: Caller,
    permissions: Arc<[String]>,
    /// The called service, and the token's id; people's tokens are for all services.
    target: Option<(String, String)>,
    nbf: u64,
    exp: u64,
}

impl std::fmt::Debug for SignedTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedTokens").field("keys", &lock(&self.keys).signing).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_micros() / 1_000_000).unwrap_or(0)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX))
}

impl SignedTokens {
    /// Tokens with these keys; `permissions` says who may call what.
    pub fn new(
        keys: SigningKeys,
        permissions: CallPermissions,
        environment: Environment,
        limits: Limits,
    ) -> Self {
        let public = Arc::new(by_kid(&keys.believed()));
        let refreshed = seconds(environment.clock.now());
        Self {
            environment,
            permissions,
            keys: Mutex::new(Keys { signing: Arc::new(keys), public, refreshed }),
            elsewhere: Mutex::default(),
            wanted: Arc::default(),
            made: Mutex::default(),
            verified: Mutex::new(LruCache::new(limits.verified)),
        }
    }

    fn now(&self) -> u64 {
        seconds(self.environment.clock.now())
    }

    /// The public keys of this process, for `GET /.well-known/jwks.json`.
    pub fn jwks(&self) -> serde_json::Value {
        let keys: Vec<Jwk> = lock(&self.keys).signing.public().to_vec();
        serde_json::json!({"keys": keys})
    }

    /// Reads the keys again: what was deleted is no longer believed, what was added is.
    pub fn refresh(&self) -> Result<(), crate::KeyError> {
        let mut keys = lock(&self.keys);
        keys.refreshed = self.now();
        let read = keys.signing.reread()?;
        let before = std::mem::replace(&mut keys.signing, Arc::new(read));
        if before.believed() == keys.signing.believed() {
            return Ok(());
        }
        keys.public = Arc::new(by_kid(&keys.signing.believed()));
        drop(keys);
        lock(&self.made).clear();
        lock(&self.verified).clear();
        Ok(())
    }

    /// Believes what a process publishes, for these services, from now on: whoever holds the tokens
    /// asks those that `due` names and tells `learn`.
    pub fn follow(&self, process: String, services: Vec<String>) {
        lock(&self.elsewhere).follow(process, services);
    }

    /// The processes whose keys are to be read now.
    pub fn due(&self) -> Vec<String> {
        let now = self.now();
        lock(&self.elsewhere).due(now)
    }

    /// Rung when somebody is due before their time: a token has come with a key that may be new.
    pub fn wanted(&self) -> Arc<Notify> {
        self.wanted.clone()
    }

    /// Takes the JWKS of a process; `None` where it gave none, and what was known of it stays.
    /// False where it is no JWKS.
    pub fn learn(&self, process: &str, jwks: Option<&[u8]>) -> bool {
        let read = jwks.map(|jwks| serde_json::from_slice::<Published>(jwks).ok().map(|read| read.keys));
        let is_readable = !matches!(read, Some(None));
        let mode = lock(&self.keys).signing.mode();
        let has_changed = lock(&self.elsewhere).learn(process, read.flatten(), mode);
        if has_changed {
            lock(&self.verified).clear();
        }
        is_readable
    }

    fn own_key(&self, kid: &str) -> Option<Arc<PublicKey>> {
        lock(&self.keys).public.get(kid).cloned()
    }

    /// The key that a token names. Nothing is waited for here: a key of another process that may be
    /// new has its process asked, and the request is to come again (503), because a 401 would tell
    /// a service that its call was refused for good.
    fn key(&self, kid: &str, token: &str) -> Result<Arc<PublicKey>, TokenError> {
        if let Some(key) = self.own_key(kid) {
            return Ok(key);
        }
        let issuer = claimed_issuer(token).unwrap_or_default();
        let sought = lock(&self.elsewhere).seek(kid, &issuer, self.now());
        if let Sought::Found(key) = sought {
            return Ok(key);
        }
        let refreshed = lock(&self.keys).refreshed;
        if self.now() >= refreshed + REFRESH_SECONDS {
            // Keys that cannot be read are not a reason to drop those that could.
            let _ = self.refresh();
            if let Some(key) = self.own_key(kid) {
                return Ok(key);
            }
        }
        match sought {
            Sought::NotYet => {
                self.wanted.notify_one();
                let reason = format!("the token names {issuer}, whose keys are looked for");
                Err(TokenError::Unavailable(reason))
            }
            _ => Err(TokenError::Invalid("signed with an unknown key")),
        }
    }

    fn sign(&self, issuer: &str, kind: &str, claims: &impl Serialize) -> Result<String, TokenError> {
        let signing = Arc::clone(&lock(&self.keys).signing);
        let Some(key) = signing.for_issuer(issuer, self.environment.clock.now()) else {
            return Err(TokenError::Unavailable(format!("there is no signing key for {issuer}")));
        };
        let mut header = Header::new(Algorithm::RS256);
        header.typ = Some(kind.to_owned());
        header.kid = Some(key.kid.clone());
        jsonwebtoken::encode(&header, claims, key.key.reveal())
            .map_err(|_| TokenError::Unavailable(format!("the key of {issuer} does not sign")))
    }

    /// Everything about a token but the time and the request.
    fn check(&self, token: &str) -> Result<Known, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid("too long"));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid("not a JWT"))?;
        if header.alg != Algorithm::RS256 || header.crit.is_some() {
            return Err(TokenError::Invalid("not signed with RS256"));
        }
        let kid = header.kid.ok_or(TokenError::Invalid("it names no key"))?;
        let key = &*self.key(&kid, token)?;
        match header.typ.as_deref() {
            Some(SERVICE_TYPE) => self.check_service(decoded(token, key)?, key),
            Some(PERSON_TYPE) => self.check_person(decoded(token, key)?, key),
            _ => Err(TokenError::Invalid("of an unknown type")),
        }
    }

    fn check_service(&self, claims: ServiceClaims, key: &PublicKey) -> Result<Known, TokenError> {
        let ServiceClaims { iss, sub, aud, iat, nbf, exp, jti, permissions } = claims;
        check_frame(key, &iss, &aud, &jti)?;
        check_times(self.now(), iat, nbf, exp)?;
        if exp > iat + LIFETIME_SECONDS {
            return Err(TokenError::Invalid("it lives too long"));
        }
        let (caller, target) = (Caller::Service(iss), Some((sub, jti)));
        Ok(Known { caller, permissions: permissions.into(), target, nbf, exp })
    }

    fn check_person(&self, claims: PersonClaims, key: &PublicKey) -> Result<Known, TokenError> {
        let PersonClaims { iss, sub, aud, iat, nbf, exp, jti, role } = claims;
        check_frame(key, &iss, &aud, &jti)?;
        check_times(self.now(), iat, nbf, exp)?;
        if iss != PEOPLE_ISSUER {
            return Err(TokenError::Invalid("people's tokens come from auth"));
        }
        let caller = Caller::Person { id: sub, role };
        Ok(Known { caller, permissions: Arc::default(), target: None, nbf, exp })
    }

    fn known(&self, token: &str) -> Result<Arc<Known>, TokenError> {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        if let Some(known) = lock(&self.verified).get(&hash) {
            return Ok(Arc::clone(known));
        }
        let known = Arc::new(self.check(token)?);
        lock(&self.verified).put(hash, Arc::clone(&known));
        Ok(known)
    }
}

/// The claims behind a good signature. Times are compared by us, with our clock.
fn decoded<T: DeserializeOwned + Clone>(token: &str, key: &PublicKey) -> Result<T, TokenError> {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "nbf", "exp"]);
    jsonwebtoken::decode::<T>(token, &key.key, &validation)
        .map(|read| read.claims)
        .map_err(|_| TokenError::Invalid("its signature or a claim is wrong"))
}

fn check_frame(key: &PublicKey, iss: &str, aud: &str, jti: &str) -> Result<(), TokenError> {
    if !key.belongs_to(iss) {
        return Err(TokenError::Invalid("its key is not its issuer's"));
    }
    if aud != AUDIENCE {
        return Err(TokenError::Invalid("for another audience"));
    }
    if !(1..=ID_BYTES_MAX).contains(&jti.len()) {
        return Err(TokenError::Invalid("it has no id"));
    }
    Ok(())
}

fn check_times(now: u64, iat: u64, nbf: u64, exp: u64) -> Result<(), TokenError> {
    // Far beyond any date of ours, and far from overflowing a sum.
    let sane = |at: u64| at < 1 << 40;
    let ordered = iat < exp && nbf < exp && iat <= now + LEEWAY_SECONDS;
    match sane(iat) && sane(nbf) && sane(exp) && ordered {
        true => Ok(()),
        false => Err(TokenError::Invalid("its times make no sense")),
    }
}

impl Tokens for SignedTokens {
    fn for_service(&self, from: &str, to: &str) -> Result<String, TokenError> {
        let now = self.now();
        // Held while signing, so that callers who come together sign once.
        let mut made = lock(&self.made);
        let pair = (from.to_owned(), to.to_owned());
        if let Some(known) = made.get(&pair).filter(|known| now < known.at + REUSE_SECONDS) {
            return Ok(known.token.clone());
        }
        let claims = ServiceClaims {
            iss: from.to_owned(),
            sub: to.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now,
            nbf: now,
            exp: now + LIFETIME_SECONDS,
            jti: self.environment.ids.uuid().to_string(),
            permissions: self.permissions.get(&pair).cloned().unwrap_or_default(),
        };
        let token = self.sign(from, SERVICE_TYPE, &claims)?;
        made.insert(pair, Made { token: token.clone(), at: now });
        Ok(token)
    }

    fn for_person(&self, person: Uuid, role: Role, lifetime: Duration) -> Result<String, TokenError> {
        let now = self.now();
        let claims = PersonClaims {
            iss: PEOPLE_ISSUER.to_owned(),
            sub: person,
            aud: AUDIENCE.to_owned(),
            iat: now,
            nbf: now,
            exp: now + lifetime.as_secs().max(1),
            jti: self.environment.ids.uuid().to_string(),
            role,
        };
        self.sign(PEOPLE_ISSUER, PERSON_TYPE, &claims)
    }

    fn verify(&self, token: &str, target: &str, request_id: Option<&str>) -> Result<Verified, TokenError> {
        let known = self.known(token)?;
        let now = self.now();
        if now + LEEWAY_SECONDS < known.nbf || now >= known.exp + LEEWAY_SECONDS {
            return Err(TokenError::Expired);
        }
        let mut once = None;
        if let Some((called, jti)) = &known.target {
            if called != target {
                return Err(TokenError::Invalid("for another service"));
            }
            let request = request_id.filter(|id| (1..=ID_BYTES_MAX).contains(&id.len()));
            let request = request.ok_or(TokenError::Invalid("a service's request has an X-Request-Id"))?;
            let key = format!("{jti} {request}");
            once = Some(Once { key, until: at(known.exp + LEEWAY_SECONDS) });
        }
        Ok(Verified {
            caller: known.caller.clone(),
            permissions: Arc::clone(&known.permissions),
            expires: at(known.exp),
            once,
        })
    }
}
