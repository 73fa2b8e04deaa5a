use backbone::calls::CallSpec;
use kernel::{Duration, Secret};

use super::*;
use crate::environment;

static STANDING: CallSpec = CallSpec {
    from: "order",
    to: "user",
    method: http::Method::GET,
    path: "/api/users/{userId}/standing",
    limit: Duration::from_secs(1),
    retries: 3,
};

/// A process of a market on servers, which nobody opens here.
fn process(only: &[&str], discovered: &[&str]) -> Settings {
    let mut settings = Settings::default();
    settings.serve.only = only.iter().map(|name| (*name).to_owned()).collect();
    settings.engines.postgres = Some(Secret::new("postgres://a4co@localhost/a4co"));
    settings.engines.nats = Some("nats://localhost".to_owned());
    let address = vec!["http://127.0.0.1:8101".to_owned()];
    settings.discovery = discovered.iter().map(|name| ((*name).to_owned(), address.clone())).collect();
    settings
}

fn divided(only: &[&str], discovered: &[&str]) -> Processes {
    Processes::of(&process(only, discovered), &environment::system()).unwrap()
}

#[test]
fn a_process_runs_what_it_is_told_to_and_a_gateway_nothing() {
    let all = divided(&[], &[]);
    assert_eq!((&**all.here(), all.entry().is_none()), (SERVICES, true));
    let some = divided(&["payment", "order"], &[]);
    assert_eq!(**some.here(), ["order", "payment"]);
    assert!(some.run_elsewhere("user") && !some.run_elsewhere("order") && !some.run_elsewhere("platform"));
    let gateway = divided(&[GATEWAY], &[]);
    assert!(gateway.here().is_empty() && gateway.run_elsewhere("order"));
    assert!(is_gateway(&process(&[GATEWAY], &[])) && !is_gateway(&process(&["order"], &[])));
}

#[test]
fn a_name_that_no_service_has_is_refused_with_all_that_there_are() {
    for settings in [process(&["order", "ordr"], &[]), process(&["order"], &["ordr"])] {
        let error = check(&settings).unwrap_err().to_string();
        assert!(error.contains("\"ordr\"") && error.contains(&SERVICES.join(", ")), "{error}");
    }
    check(&process(&["order", GATEWAY], &["user", PEOPLE_ISSUER])).unwrap();
}

#[test]
fn the_embedded_store_is_of_one_process() {
    let mut settings = process(&["order"], &[]);
    (settings.engines.postgres, settings.engines.nats) = (None, None);
    let error = check(&settings).unwrap_err().to_string();
    assert!(error.contains("--only") && error.contains("engines.postgres"), "{error}");
    settings.serve.only = SERVICES.iter().map(|name| (*name).to_owned()).collect();
    check(&settings).unwrap();
}

#[test]
fn whoever_is_called_from_here_runs_here_or_is_discovered() {
    let modules = || {
        let order = Module { calls: vec![&STANDING], ..Module::new("order") };
        vec![order, Module::new("user")]
    };
    let error = divided(&["order"], &["payment"]).reach(&modules()).unwrap_err().to_string();
    assert!(error.starts_with("order calls user") && error.contains("discovery.user = ["), "{error}");
    for good in [divided(&["order"], &["user"]), divided(&["order", "user"], &[]), divided(&["user"], &[])] {
        good.reach(&modules()).unwrap();
    }
}
