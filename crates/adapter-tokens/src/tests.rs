use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use backbone::calls::CallSpec;
use backbone::environment::{Clock, Environment, Ids, Secrets, Spawner};
use backbone::route::{Caller, Role};
use backbone::tokens::{TokenError, Tokens, permissions_of};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kernel::{Duration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

mod elsewhere;

const NOW: u64 = 1_800_000_000;

#[derive(Clone)]
struct World(Arc<Mutex<(u64, u128)>>);

impl World {
    fn new() -> Self {
        Self(Arc::new(Mutex::new((NOW, 0))))
    }
    fn pass(&self, seconds: u64) {
        self.0.lock().unwrap().0 += seconds;
    }
    fn environment(&self) -> Environment {
        Environment {
            clock: Arc::new(self.clone()),
            ids: Arc::new(self.clone()),
            secrets: Arc::new(self.clone()),
            spawner: Arc::new(self.clone()),
        }
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.lock().unwrap().0 as i64 * 1_000_000)
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

impl Ids for World {
    fn uuid(&self) -> Uuid {
        let mut state = self.0.lock().unwrap();
        state.1 += 1;
        Uuid::from_u128(state.1)
    }
    fn random(&self) -> u64 {
        4
    }
}

impl Secrets for World {
    fn bytes(&self) -> [u8; 32] {
        panic!("tokens need no secrets of their own")
    }
}

impl Spawner for World {
    fn spawn(&self, _: &'static str, _: BoxFuture<'static, ()>) {}
}

static STANDING: CallSpec = CallSpec {
    from: "order",
    to: "user",
    method: http::Method::GET,
    path: "/api/users/{userId}/standing",
    limit: Duration::from_secs(1),
    retries: 3,
};

/// One key for all tests: making one takes a while.
fn development_folder() -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = || {
        let folder = tempfile::tempdir().unwrap();
        SigningKeys::open(folder.path(), Mode::Development, &[]).unwrap();
        folder
    };
    FOLDER.get_or_init(made).path().to_owned()
}

fn tokens_in(folder: &std::path::Path, mode: Mode, world: &World) -> SignedTokens {
    let keys = SigningKeys::open(folder, mode, &[]).unwrap();
    SignedTokens::new(keys, permissions_of([&STANDING]), world.environment(), Limits::default())
}

fn tokens(world: &World) -> SignedTokens {
    tokens_in(&development_folder(), Mode::Development, world)
}

fn private_key() -> EncodingKey {
    let pem = std::fs::read(development_folder().join("token-keys/development.pem")).unwrap();
    EncodingKey::from_rsa_pem(&pem).unwrap()
}

fn kid(tokens: &SignedTokens) -> String {
    tokens.jwks()["keys"][0]["kid"].as_str().unwrap().to_owned()
}

fn header(tokens: &SignedTokens, kind: &str) -> Header {
    let mut header = Header::new(Algorithm::RS256);
    header.typ = Some(kind.to_owned());
    header.kid = Some(kid(tokens));
    header
}

fn claims() -> Value {
    json!({"iss": "order", "sub": "user", "aud": "a4co-marketplace", "iat": NOW, "nbf": NOW,
        "exp": NOW + 300, "jti": "t-1", "permissions": ["call:GET /api/users/{}/standing"]})
}

fn person_claims() -> Value {
    json!({"iss": "auth", "sub": Uuid::from_u128(7), "aud": "a4co-marketplace", "iat": NOW, "nbf": NOW,
        "exp": NOW + 300, "jti": "p-1", "role": "customer"})
}

#[test]
fn a_service_token_is_believed_by_its_target_and_says_what_it_permits() {
    let tokens = tokens(&World::new());
    let token = tokens.for_service("order", "user").unwrap();
    let verified = tokens.verify(&token, "user", Some("r-1")).unwrap();
    assert_eq!(verified.caller, Caller::Service("order".to_owned()));
    assert_eq!(*verified.permissions, ["call:GET /api/users/{}/standing".to_owned()]);
    let elsewhere = tokens.verify(&token, "payment", Some("r-2"));
    assert_eq!(elsewhere, Err(TokenError::Invalid("for another service")));
    let nothing = tokens.for_service("chat", "user").unwrap();
    assert!(tokens.verify(&nothing, "user", Some("r-3")).unwrap().permissions.is_empty());
}

#[test]
fn every_wrong_or_missing_claim_is_refused() {
    let tokens = tokens(&World::new());
    let key = private_key();
    let verify = |kind: &str, claims: &Value, request: &str| {
        let token = jsonwebtoken::encode(&header(&tokens, kind), claims, &key).unwrap();
        tokens.verify(&token, "user", Some(request))
    };
    assert!(verify("service+jwt", &claims(), "good").is_ok());
    for name in ["iss", "sub", "aud", "iat", "nbf", "exp", "jti", "permissions"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        assert!(verify("service+jwt", &claims, name).is_err(), "without {name}");
    }
    for name in ["iss", "sub", "aud", "iat", "nbf", "exp", "jti", "role"] {
        let mut claims = person_claims();
        claims.as_object_mut().unwrap().remove(name);
        assert!(verify("person+jwt", &claims, name).is_err(), "a person without {name}");
    }
    #[rustfmt::skip]
    let wrong = [
        ("sub", json!("payment")), ("aud", json!("another")), ("aud", json!(["a4co-marketplace", "x"])),
        ("iss", json!(["order"])), ("nbf", json!(NOW.to_string())), ("nbf", json!(NOW + 31)),
        ("iat", json!(NOW + 31)), ("iat", json!("now")), ("exp", json!(NOW - 30)), ("exp", json!(NOW + 301)),
        ("exp", json!(u64::MAX)), ("exp", json!(1.5)), ("jti", json!("")), ("jti", json!(7)),
        ("permissions", json!("all")), ("admin", json!(true)),
    ];
    for (name, value) in wrong {
        let mut claims = claims();
        claims[name] = value.clone();
        assert!(verify("service+jwt", &claims, "wrong").is_err(), "{name} = {value}");
    }
    for (name, value) in
        [("iss", json!("order")), ("iat", json!(NOW + 31)), ("sub", json!("seven")), ("role", json!("root"))]
    {
        let mut claims = person_claims();
        claims[name] = value.clone();
        assert!(verify("person+jwt", &claims, "wrong").is_err(), "{name} = {value}");
    }
    assert!(verify("person+jwt", &claims(), "kinds").is_err(), "a service's token is no person's");
    assert!(verify("service+jwt", &person_claims(), "kinds").is_err());
    assert!(verify("JWT", &claims(), "kinds").is_err());
}

#[test]
fn the_algorithm_is_pinned_and_the_signature_counts() {
    let tokens = tokens(&World::new());
    let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let refuse = |token: &str, why: &str| {
        assert!(matches!(tokens.verify(token, "user", Some("r")), Err(TokenError::Invalid(_))), "{why}");
    };
    let none = json!({"alg": "none", "typ": "service+jwt", "kid": kid(&tokens)});
    refuse(&format!("{}.{}.", text(&none), text(&claims())), "alg none");

    // The public key as the secret of an HMAC, the classic confusion, in both of its spellings.
    let jwks = tokens.jwks();
    let modulus = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["n"].as_str().unwrap()).unwrap();
    for secret in [modulus, jwks["keys"][0].to_string().into_bytes()] {
        let mut header = header(&tokens, "service+jwt");
        header.alg = Algorithm::HS256;
        let token = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
        refuse(&token, "HS256 with the public key");
    }
    for alg in [Algorithm::RS512, Algorithm::PS256] {
        let mut header = header(&tokens, "service+jwt");
        header.alg = alg;
        refuse(&jsonwebtoken::encode(&header, &claims(), &private_key()).unwrap(), "another RSA algorithm");
    }
    let good = tokens.for_service("order", "user").unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    let mut other = claims();
    other["permissions"] = json!(["call:everything"]);
    refuse(&format!("{}.{}.{}", parts[0], text(&other), parts[2]), "another payload");
    refuse(&format!("{}.{}.", parts[0], parts[1]), "no signature");
    refuse("", "nothing");
    refuse(&"a".repeat(9_000), "too long");
    let mut unknown = header(&tokens, "service+jwt");
    unknown.kid = Some("another".to_owned());
    refuse(&jsonwebtoken::encode(&unknown, &claims(), &private_key()).unwrap(), "an unknown key");
    unknown.kid = None;
    refuse(&jsonwebtoken::encode(&unknown, &claims(), &private_key()).unwrap(), "no key");
}

#[test]
fn a_request_is_good_once_and_a_retry_takes_a_new_request_id() {
    let world = World::new();
    let tokens = tokens(&world);
    let [token, other] = ["user", "product"].map(|target| tokens.for_service("order", target).unwrap());
    let once =
        |token: &str, target, request| tokens.verify(token, target, Some(request)).unwrap().once.unwrap();
    let first = once(&token, "user", "r-1");
    let end = Timestamp::from_micros(i64::try_from((NOW + 330) * 1_000_000).unwrap());
    assert_eq!(first.until, end, "as long as the token is believed, leeway included");
    assert_ne!(once(&token, "user", "r-2"), first);
    assert_ne!(once(&other, "product", "r-1"), first);
    assert!(matches!(tokens.verify(&token, "user", None), Err(TokenError::Invalid(_))));
    world.pass(329);
    assert_eq!(once(&token, "user", "r-1"), first, "within the leeway it is the same");
    world.pass(1);
    assert_eq!(tokens.verify(&token, "user", Some("r-1")), Err(TokenError::Expired));
}

#[test]
fn a_caller_signs_once_in_four_minutes_for_each_target() {
    let world = World::new();
    let tokens = tokens(&world);
    let first = tokens.for_service("order", "user").unwrap();
    assert_ne!(first, tokens.for_service("order", "payment").unwrap());
    world.pass(239);
    assert_eq!(first, tokens.for_service("order", "user").unwrap());
    world.pass(1);
    let second = tokens.for_service("order", "user").unwrap();
    assert_ne!(first, second);
    assert!(tokens.verify(&first, "user", Some("late")).is_ok(), "the old one is still good for a minute");
}

#[test]
fn a_persons_token_says_who_and_as_what_until_it_ends() {
    let world = World::new();
    let tokens = tokens(&world);
    let ana = Uuid::from_u128(7);
    let token = tokens.for_person(ana, Role::Artisan, Duration::from_secs(3_600)).unwrap();
    for _ in 0..2 {
        let verified = tokens.verify(&token, "product", None).unwrap();
        assert_eq!(verified.caller, Caller::Person { id: ana, role: Role::Artisan });
    }
    world.pass(3_600 + 30);
    assert_eq!(tokens.verify(&token, "product", None), Err(TokenError::Expired));
}

#[test]
fn a_service_signs_with_its_own_key_and_rotation_overlaps() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let made = |service: &str, at: i64| generate(folder.path(), service, Timestamp::from_micros(at)).unwrap();
    let old = made("order", 1);
    made("auth", 1);
    let tokens = tokens_in(folder.path(), Mode::Production, &world);
    let first = tokens.for_service("order", "user").unwrap();
    assert!(tokens.verify(&first, "user", Some("r-1")).is_ok());
    assert!(matches!(tokens.for_service("chat", "user"), Err(TokenError::Unavailable(_))));

    // The key of auth signs what says to come from order.
    let stolen = std::fs::read(folder.path().join("token-keys/auth/00000000000000000001.pem")).unwrap();
    let mut header = Header::new(Algorithm::RS256);
    (header.typ, header.kid) = (Some("service+jwt".to_owned()), Some("auth-00000000000000000001".to_owned()));
    let forged =
        jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_rsa_pem(&stolen).unwrap()).unwrap();
    let refused = tokens.verify(&forged, "user", Some("r-2"));
    assert_eq!(refused, Err(TokenError::Invalid("its key is not its issuer's")));

    // Another process has the new key already; ours looks for it, but not at every request.
    made("order", 2);
    let other = tokens_in(folder.path(), Mode::Production, &world);
    let second = other.for_service("order", "user").unwrap();
    assert!(tokens.verify(&second, "user", Some("r-3")).is_err(), "looked ten seconds ago at most");
    world.pass(10);
    assert!(tokens.verify(&second, "user", Some("r-4")).is_ok());
    assert!(tokens.verify(&first, "user", Some("r-5")).is_ok(), "the old key is still there");
    std::fs::remove_file(old).unwrap();
    tokens.refresh().unwrap();
    assert!(tokens.verify(&first, "user", Some("r-6")).is_err());
}

#[test]
fn development_keys_are_private_and_refused_in_production() {
    let folder = development_folder();
    let file = folder.join("token-keys/development.pem");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&folder.join("token-keys"))), (0o600, 0o700));
    let first = SigningKeys::open(&folder, Mode::Development, &["order"]).unwrap();
    let again = SigningKeys::open(&folder, Mode::Development, &["order"]).unwrap();
    assert_eq!(first.public(), again.public(), "a key is made once");

    let refused = SigningKeys::open(&folder, Mode::Production, &["order"]).unwrap_err();
    assert!(matches!(refused, KeyError::Missing { .. }), "{refused}");
    let other = tempfile::tempdir().unwrap();
    let keys = other.path().join("token-keys");
    std::fs::create_dir_all(keys.join("order")).unwrap();
    std::fs::copy(&file, keys.join("development.pem")).unwrap();
    std::fs::copy(&file, keys.join("order/1.pem")).unwrap();
    let refused = SigningKeys::open(other.path(), Mode::Production, &["order"]).unwrap_err();
    assert!(matches!(refused, KeyError::Development { .. }), "{refused}");
    std::fs::set_permissions(keys.join("order/1.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = SigningKeys::open(other.path(), Mode::Production, &["order"]).unwrap_err();
    assert!(matches!(refused, KeyError::Exposed { mode: 0o644, .. }), "{refused}");
    std::fs::write(keys.join("development.pem"), "no key").unwrap();
    let refused = SigningKeys::open(other.path(), Mode::Development, &[]).unwrap_err();
    assert!(matches!(refused, KeyError::Content { .. }), "{refused}");
}

#[test]
fn secrets_do_not_print() {
    assert_eq!(format!("{0:?} {0}", Secret::new("hunter2")), "*** ***");
    let tokens = tokens(&World::new());
    let token = tokens.for_service("order", "user").unwrap();
    let printed = format!("{tokens:?} {}", tokens.jwks());
    let pem = std::fs::read_to_string(development_folder().join("token-keys/development.pem")).unwrap();
    assert!(printed.contains("development-"), "{printed}");
    assert!(!printed.contains(&token) && pem.lines().skip(1).all(|line| !printed.contains(line)));
    for member in ["\"d\"", "\"p\"", "\"q\"", "\"dp\""] {
        assert!(!printed.contains(member), "a JWKS has public members only");
    }
}
