//! What stands in `deploy/` fits the program: each service has its process, and the shared
//! configuration is one that a process takes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use a4co::config;
use a4co::services::SERVICES;

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(file)
}

#[test]
fn each_service_has_a_process_and_an_address() {
    let processes = std::fs::read_to_string(deploy("compose/services.yml")).unwrap();
    let settings = config::load(Some(&deploy("compose/market.toml")), std::iter::empty()).unwrap().settings;
    let known: BTreeSet<&str> = settings.discovery.keys().map(String::as_str).collect();
    assert_eq!(known, SERVICES.iter().copied().collect());
    for service in SERVICES.iter().chain(&["gateway"]) {
        let command = format!("\"--only\", \"{service}\"");
        assert!(processes.contains(&command), "no process runs {service}: {command}");
    }
}
