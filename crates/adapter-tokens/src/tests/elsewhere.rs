//! Processes that believe each other by what they publish.

use super::*;

const ORDER: &str = "http://127.0.0.1:8101";

/// A process with keys of its own.
struct Process {
    folder: tempfile::TempDir,
    tokens: SignedTokens,
    requests: std::cell::Cell<u32>,
}

impl Process {
    fn development(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokens = tokens_in(folder.path(), Mode::Development, world);
        Self { folder, tokens, requests: Default::default() }
    }

    /// One that runs this service in production.
    fn production(service: &str, world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        generate(folder.path(), service, world.now()).unwrap();
        let tokens = tokens_in(folder.path(), Mode::Production, world);
        Self { folder, tokens, requests: Default::default() }
    }

    fn follows(self, services: &[&str]) -> Self {
        self.tokens.follow(ORDER.to_owned(), services.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    fn published(&self) -> Vec<u8> {
        self.tokens.jwks().to_string().into_bytes()
    }

    /// Asks whoever is due; all of them answer with this.
    fn asks(&self, published: Option<&[u8]>) -> usize {
        let due = self.tokens.due();
        for process in &due {
            assert!(self.tokens.learn(process, published));
        }
        due.len()
    }

    fn believes(&self, token: &str) -> Result<Caller, TokenError> {
        self.requests.set(self.requests.get() + 1);
        let request = self.requests.get().to_string();
        self.tokens.verify(token, "user", Some(&request)).map(|verified| verified.caller)
    }
}

fn is_unavailable(answer: &Result<Caller, TokenError>) -> bool {
    matches!(answer, Err(TokenError::Unavailable(_)))
}

fn is_refused(answer: &Result<Caller, TokenError>) -> bool {
    matches!(answer, Err(TokenError::Invalid(_)))
}

#[test]
fn a_process_is_believed_for_the_services_that_it_is_discovered_for_and_no_others() {
    let world = World::new();
    let order = Process::development(&world);
    let user = Process::development(&world).follows(&["order"]);
    let token = order.tokens.for_service("order", "user").unwrap();
    let early = user.believes(&token);
    assert!(is_unavailable(&early), "its keys are not read yet, which is no reason to refuse: {early:?}");
    assert_eq!(user.asks(Some(&order.published())), 1);
    assert_eq!(user.believes(&token), Ok(Caller::Service("order".to_owned())));
    // A development key signs for all; here it counts for order alone.
    let other = order.tokens.for_service("payment", "user").unwrap();
    assert!(is_refused(&user.believes(&other)), "it speaks for a service that it does not run");
    let person = order.tokens.for_person(Uuid::from_u128(7), Role::Admin, Duration::from_secs(60)).unwrap();
    assert!(is_refused(&user.believes(&person)), "nor does it sign for people");
    let entry = Process::development(&world).follows(&["auth"]);
    entry.asks(Some(&order.published()));
    let admin = Caller::Person { id: Uuid::from_u128(7), role: Role::Admin };
    assert_eq!(entry.believes(&person), Ok(admin), "unless it is discovered as whoever does");
}

#[test]
fn a_key_that_claims_another_ones_service_is_not_believed() {
    let world = World::new();
    let order = Process::production("order", &world);
    let token = order.tokens.for_service("order", "user").unwrap();
    // Whoever runs payment publishes a key that it made, as order's; and one for everybody.
    for claimed in ["order", "*"] {
        let user = Process::production("user", &world).follows(&["payment"]);
        let mut published = order.tokens.jwks();
        published["keys"][0]["issuers"] = json!([claimed]);
        user.asks(Some(published.to_string().as_bytes()));
        assert!(is_refused(&user.believes(&token)), "{claimed}");
    }
    // Even beside the real one, and under its name.
    let user = Process::production("user", &world).follows(&["order"]);
    user.tokens.follow("http://127.0.0.1:8109".to_owned(), vec!["payment".to_owned()]);
    let thief = Process::production("order", &world);
    user.tokens.learn("http://127.0.0.1:8109", Some(&thief.published()));
    user.tokens.learn(ORDER, Some(&order.published()));
    assert!(user.believes(&token).is_ok());
    let forged = thief.tokens.for_service("order", "user").unwrap();
    assert!(is_refused(&user.believes(&forged)));
}

#[test]
fn a_new_key_is_published_before_it_signs_and_known_before_it_is_met() {
    let world = World::new();
    let order = Process::production("order", &world);
    world.pass(600);
    let user = Process::production("user", &world).follows(&["order"]);
    user.asks(Some(&order.published()));
    let old = kid(&order.tokens);
    let signed_with = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();

    let new = generate(order.folder.path(), "order", world.now()).unwrap();
    order.tokens.refresh().unwrap();
    assert_eq!(order.tokens.jwks()["keys"].as_array().unwrap().len(), 2, "it is published");
    world.pass(100);
    assert_eq!(user.asks(Some(&order.published())), 1, "keys are read again every minute");
    let before = order.tokens.for_service("order", "chat").unwrap();
    assert_eq!(signed_with(&before), old, "and does not sign yet");
    world.pass(20);
    let token = order.tokens.for_service("order", "user").unwrap();
    assert!(new.to_string_lossy().contains(signed_with(&token).strip_prefix("order-").unwrap()));
    assert!(user.believes(&token).is_ok(), "nobody had to be asked");

    let folder = order.folder.path().join("token-keys/order");
    std::fs::remove_file(folder.join(format!("{}.pem", old.strip_prefix("order-").unwrap()))).unwrap();
    let late = order.tokens.for_service("order", "user").unwrap();
    order.tokens.refresh().unwrap();
    world.pass(60);
    user.asks(Some(&order.published()));
    assert!(user.believes(&late).is_ok());
    assert_eq!(order.tokens.jwks()["keys"].as_array().unwrap().len(), 1);
}

#[test]
fn a_key_that_is_gone_where_it_was_published_is_no_longer_believed() {
    let world = World::new();
    let [order, other] = [Process::production("order", &world), Process::production("order", &world)];
    let user = Process::production("user", &world).follows(&["order"]);
    user.asks(Some(&order.published()));
    let token = order.tokens.for_service("order", "user").unwrap();
    assert!(user.believes(&token).is_ok());
    world.pass(60);
    assert_eq!(user.asks(None), 1);
    assert!(user.believes(&token).is_ok(), "a process that does not answer takes nothing back");
    world.pass(1);
    assert_eq!(user.asks(Some(&other.published())), 1, "it is asked again soon");
    assert!(user.believes(&token).is_err(), "though it was believed a moment ago");
}

#[test]
fn an_unknown_key_has_its_process_asked_every_ten_seconds_at_most() {
    let world = World::new();
    let order = Process::production("order", &world);
    let user = Process::production("user", &world).follows(&["order"]);
    world.pass(1);
    let token = Process::production("order", &world).tokens.for_service("order", "user").unwrap();
    user.asks(Some(&order.published()));
    assert_eq!(user.asks(Some(&order.published())), 0);
    for round in 0..2 {
        assert!(is_unavailable(&user.believes(&token)), "{round}: it may be new");
        assert!(is_unavailable(&user.believes(&token)), "{round}: until its process was asked");
        assert_eq!(user.asks(Some(&order.published())), 1, "{round}");
        for _ in 0..9 {
            assert!(is_refused(&user.believes(&token)), "{round}: nobody knows it");
            assert_eq!(user.asks(Some(&order.published())), 0, "{round}: nobody is asked again");
            world.pass(1);
        }
        world.pass(1);
    }
    assert!(!user.tokens.learn(ORDER, Some(b"<html>")), "what is no JWKS is nothing");
}
