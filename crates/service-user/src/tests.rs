//! What the tests share: a stage with the service on it, and people with known names.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use backbone::keyring::{self, KeyRing, PersonKey};
use backbone::route::Role;
use backbone::testing::Stage;
use contracts::user::Registered;
use futures::executor::block_on;
use http::{Method, header};
use http_kit::testing::{Reply, person, request, send};
use kernel::UserId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Config, HashKey};

mod account;
mod erasure;
mod standing;
mod wallet;

/// A store of keys that fails as often as it is told, and notes whose key was destroyed.
#[derive(Default)]
struct Keys {
    failures: Mutex<u32>,
    destroyed: Mutex<Vec<Uuid>>,
}

#[async_trait]
impl KeyRing for Keys {
    fn master_id(&self) -> String {
        "test".to_owned()
    }

    async fn ensure(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, keyring::Error> {
        Ok(vec![PersonKey::Absent; persons.len()])
    }

    async fn find(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, keyring::Error> {
        Ok(vec![PersonKey::Absent; persons.len()])
    }

    async fn erase(&self, person: Uuid) -> Result<(), keyring::Error> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(keyring::Error("the file is locked".to_owned()));
        }
        self.destroyed.lock().unwrap().push(person);
        Ok(())
    }
}

struct World {
    stage: Stage,
    router: Router,
    keys: Arc<Keys>,
}

fn world() -> World {
    let stage = Stage::new("user");
    let keys = Arc::new(Keys::default());
    let config = Config::new(HashKey::new(&[7; 32]));
    let module = crate::module(&stage.context(), config, keys.clone());
    let routes = module.routes.clone();
    stage.mount(module);
    let router = http_kit::testing::stand("user", routes, stage.context().environment);
    World { stage, router, keys }
}

impl World {
    fn ask(&self, method: Method, path: &str, by: Option<&str>, body: Option<&Value>) -> Reply {
        block_on(send(&self.router, request(method, path, by, body)))
    }

    fn put(&self, path: &str, by: &str, version: u64, body: &Value) -> Reply {
        let mut request = request(Method::PUT, path, Some(by), Some(body));
        request.headers_mut().insert(header::IF_MATCH, format!("\"{version}\"").parse().unwrap());
        block_on(send(&self.router, request))
    }

    fn register(&self, email: &str) -> Reply {
        let body = json!({"email": email, "firstName": "Ana", "lastName": "Ruiz Moya"});
        self.ask(Method::POST, "/api/users", None, Some(&body))
    }

    /// Registers Ana and forgets that it was told.
    fn ana(&self) -> UserId {
        assert_eq!(self.register("ana@example.org").status, http::StatusCode::CREATED);
        self.stage.take::<Registered>()[0].user_id
    }
}

fn customer(id: UserId) -> String {
    person(id.0, Role::Customer)
}

fn admin() -> String {
    person(Uuid::from_u128(0xAD), Role::Admin)
}
