use std::collections::BTreeSet;
use std::path::Path;

use adapter_tokens::PEOPLE_ISSUER;
use backbone::route::Role;
use kernel::Duration;
use uuid::Uuid;

use super::{MARK, check, keys, new_keys};
use crate::client::{Call, InMemory, ask};
use crate::config::{Mode, Settings, load};
use crate::market;
use crate::services::SERVICES;

fn refused(settings: &Settings) -> String {
    check(settings).unwrap_err().to_string()
}

fn production(directory: &Path) -> Settings {
    let mut settings = Settings::on(directory);
    settings.serve.mode = Mode::Production;
    settings
}

/// What `a4co new-keys` says, read as a configuration.
fn with_new_keys(place: &Path) -> Settings {
    let lines = new_keys(&place.join("keys")).unwrap();
    let file = place.join("a4co.toml");
    std::fs::write(&file, lines).unwrap();
    let mut settings = load(Some(&file), []).unwrap().settings;
    settings.serve.data = place.join("data");
    settings
}

fn names(directory: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return BTreeSet::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn token(settings: &Settings) -> anyhow::Result<String> {
    market::token(settings, Role::Admin, Uuid::from_u128(1), Duration::from_secs(60))
}

#[tokio::test]
async fn production_without_its_keys_names_them_and_makes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let error = match market::open_with(&production(&data), None).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    };
    for named in ["keys.signing_keys", "keys.master_key_file", "keys.email_key_file", "a4co new-keys"] {
        assert!(error.contains(named), "{error}");
    }
    assert_eq!(names(place.path()), BTreeSet::new());
}

#[test]
fn what_development_made_does_not_go_into_production() {
    let place = tempfile::tempdir().unwrap();
    let settings = with_new_keys(place.path());
    check(&settings).unwrap();
    for made in ["master.key", "email.key", "token-keys/development.pem"] {
        let path = settings.serve.data.join(made);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        assert!(refused(&settings).contains(&format!("holds the development key {made}")));
        std::fs::remove_file(&path).unwrap();
    }
    let inside = Settings { serve: settings.serve.clone(), ..with_new_keys(&settings.serve.data) };
    assert!(refused(&inside).contains("keys.signing_keys is inside the data directory"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_production_market_starts_with_its_keys_and_development_leaves_it_alone() {
    let place = tempfile::tempdir().unwrap();
    let settings = with_new_keys(place.path());
    let market = market::open_with(&settings, None).await.unwrap();
    let api = InMemory::new(market.router.clone());
    let products: serde_json::Value =
        ask(&api, Call::get("/api/products")).await.unwrap().good().unwrap().read().unwrap();
    assert_eq!(products["items"], serde_json::json!([]), "nothing for show");
    drop(api);
    market.close().await.unwrap();
    let kept = names(&settings.serve.data);
    assert!(kept.contains(MARK), "{kept:?}");
    for made in ["master.key", "email.key", "token-keys", "sandbox-gateway.jsonl"] {
        assert!(!kept.contains(made), "{made} in {kept:?}");
    }
    assert!(token(&settings).unwrap_err().to_string().contains("is for development"));

    let development = Settings::on(&settings.serve.data);
    let error = token(&development).unwrap_err().to_string();
    assert!(error.contains("is a production market: give --production"), "{error}");
    assert!(market::open_with(&development, None).await.is_err());
    assert_eq!(names(&settings.serve.data), kept, "nothing was made");
}

#[tokio::test]
async fn the_sandbox_gateway_is_in_production_only_where_that_is_said() {
    let place = tempfile::tempdir().unwrap();
    let environment = crate::environment::system();
    let mut settings = production(place.path());
    assert_eq!(market::gateways(&settings, &environment).unwrap().len(), 0);
    settings.serve.sandbox_gateway = true;
    assert_eq!(market::gateways(&settings, &environment).unwrap().len(), 1);
    assert_eq!(market::gateways(&Settings::on(place.path()), &environment).unwrap().len(), 1);
}

#[test]
fn a_process_needs_the_signing_keys_of_its_own_services_and_no_others() {
    let place = tempfile::tempdir().unwrap();
    let mut settings = with_new_keys(place.path());
    let folder = settings.keys.signing_keys.clone().unwrap();
    for service in SERVICES.iter().filter(|name| **name != "order").chain(&[PEOPLE_ISSUER]) {
        std::fs::remove_dir_all(folder.join(service)).unwrap();
    }
    settings.serve.only = vec!["order".to_owned()];
    let keys = keys(&settings).unwrap().signing;
    let issuers: Vec<&String> = keys.public().iter().flat_map(|key| &key.issuers).collect();
    assert_eq!(issuers, ["order"]);
    settings.serve.only = vec!["order".to_owned(), "user".to_owned()];
    let error = super::keys(&settings).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("no signing key for user"), "{error}");
}

#[test]
fn a_key_of_another_form_is_named() {
    let place = tempfile::tempdir().unwrap();
    let mut settings = with_new_keys(place.path());
    settings.keys.email_key = Some(kernel::Secret::new("short"));
    let error = format!("{:#}", super::keys(&settings).err().unwrap());
    assert!(error.contains("keys.email_key is not 64 hexadecimal digits"), "{error}");
    settings.keys.master_key = Some(kernel::Secret::new("zz".repeat(32)));
    let error = format!("{:#}", super::keys(&settings).err().unwrap());
    assert!(error.contains("keys.master_key cannot be used") && !error.contains("zzz"), "{error}");
}
