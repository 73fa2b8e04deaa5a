//! What stands in `deploy/` fits the program: on either broker each service has its process, and the
//! shared configuration is one that a process takes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use a4co::config::{self, Engines};
use a4co::services::SERVICES;

/// One folder for each broker.
const FOLDERS: [&str; 2] = ["compose", "compose/rabbitmq"];

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(file)
}

fn text(file: &str) -> String {
    std::fs::read_to_string(deploy(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// What a process is given for its configuration: the file, and the variables of the container.
fn settings(folder: &str) -> config::Settings {
    let processes = text(&format!("{folder}/services.yml"));
    let given = processes.lines().filter_map(|line| {
        let (name, value) = line.trim().split_once(": ")?;
        name.starts_with("A4CO__").then(|| (name.to_owned(), value.to_owned()))
    });
    config::load(Some(&deploy(&format!("{folder}/market.toml"))), given).unwrap().settings
}

#[test]
fn each_service_has_a_process_and_an_address() {
    for folder in FOLDERS {
        let known: BTreeSet<String> = settings(folder).discovery.into_keys().collect();
        assert_eq!(known, SERVICES.iter().map(|name| (*name).to_owned()).collect(), "{folder}");
        let processes = text(&format!("{folder}/services.yml"));
        for service in SERVICES.iter().chain(&["gateway"]) {
            let command = format!("\"--only\", \"{service}\"");
            assert!(processes.contains(&command), "{folder}: no process runs {service}: {command}");
        }
    }
}

#[test]
fn each_folder_starts_the_servers_that_its_processes_use_and_no_others() {
    for (folder, other) in FOLDERS.into_iter().zip(["rabbitmq", "nats"]) {
        let Engines { postgres, nats, rabbitmq, redis, .. } = settings(folder).engines;
        let [postgres, rabbitmq, redis] =
            [postgres, rabbitmq, redis].map(|set| set.map(|address| address.reveal().to_owned()));
        let starts = text(&format!("{folder}/engines.yml"));
        let waits = text(&format!("{folder}/services.yml"));
        for (server, address) in
            [("postgres", postgres), ("nats", nats), ("rabbitmq", rabbitmq), ("redis", redis)]
        {
            let is_used = server != other;
            let hosts = [format!("@{server}:"), format!("//{server}:")];
            let is_set = address.is_some_and(|address| hosts.iter().any(|host| address.contains(host)));
            assert_eq!(is_set, is_used, "{folder}: whether {server} is configured");
            assert_eq!(
                starts.contains(&format!("\n  {server}:\n    ")),
                is_used,
                "{folder}: starts {server}"
            );
            let condition = format!("    {server}: {{condition: ");
            assert_eq!(waits.contains(&condition), is_used, "{folder}: waits for {server}");
        }
    }
}
