//! Every event that names a service as its consumer has its reaction there, and a test of its effect
//! in `docs/reactions.md`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use a4co::services::{self, Needs, SERVICES, UNFINISHED};
use adapter_sim::SimWorld;
use backbone::testing::Stage;

/// A row of the table.
struct Row {
    consumer: String,
    on: String,
    tests: Vec<String>,
}

/// The repository, asked for when the test runs: clones that share a target folder share this binary.
fn root() -> PathBuf {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo says where the crate is");
    Path::new(&here).ancestors().nth(2).expect("crates/it lies two folders below the root").to_owned()
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(root().join(path)).ok()
}

fn table() -> Vec<Row> {
    let text = read("docs/reactions.md").expect("the table is there");
    let rows = text.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [consumer, on, tests] = cells[..] else { panic!("three columns: {line}") };
        let tests = tests.split(',').map(|test| test.trim().trim_matches('`').to_owned()).collect();
        Row { consumer: consumer.to_owned(), on: on.to_owned(), tests }
    })
    .collect()
}

/// The services whose reactions are complete.
fn finished() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().copied().filter(|service| !UNFINISHED.contains(service))
}

/// What the published language sends to these services.
fn wanted() -> BTreeSet<(String, String)> {
    let pairs = finished().flat_map(|consumer| {
        let events = contracts::catalogue().iter().filter(move |event| event.consumers.contains(&consumer));
        events.map(move |event| (consumer.to_owned(), event.name.to_owned()))
    });
    pairs.collect()
}

/// The file of a test of a service, and the test's name in it.
fn place(consumer: &str, test: &str) -> (String, String) {
    let (folder, path) = match test.strip_prefix("it::") {
        Some(path) => ("crates/it/tests/it".to_owned(), path),
        None => (format!("crates/service-{consumer}/src/tests"), test),
    };
    let (modules, name) = path.rsplit_once("::").unwrap_or_else(|| panic!("{test}: write file::name"));
    (format!("{folder}/{}.rs", modules.replace("::", "/")), name.to_owned())
}

/// Whether a source has a test function of this name.
fn has_test(source: &str, name: &str) -> bool {
    let plain = format!("fn {name}()");
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| {
        let is_test = pair[0].starts_with("#[test") || pair[0].starts_with("#[tokio::test");
        is_test && pair[1].trim_start_matches("async ").starts_with(&plain)
    })
}

#[test]
fn every_service_registers_one_reaction_to_each_event_that_names_it() {
    let world = SimWorld::new(1);
    let needs = Needs {
        settings: Arc::default(),
        keyring: world.keyring(),
        gateways: Vec::new(),
        email_key: [7; 32],
    };
    for service in finished() {
        let module = services::module(service, &Stage::new(service).context(), &needs).unwrap();
        for event in contracts::catalogue().iter().filter(|event| event.consumers.contains(&service)) {
            let registered = module.reactions.iter().filter(|reaction| reaction.event.name == event.name);
            assert_eq!(registered.count(), 1, "{service} on {}", event.name);
        }
    }
}

#[test]
fn every_reaction_has_a_row_and_every_row_is_a_reaction() {
    let rows: Vec<(String, String)> = table().into_iter().map(|row| (row.consumer, row.on)).collect();
    let listed: BTreeSet<(String, String)> = rows.iter().cloned().collect();
    assert_eq!(listed.len(), rows.len(), "a pair stands twice in docs/reactions.md");
    let wanted = wanted();
    let missing: Vec<_> = wanted.difference(&listed).collect();
    let surplus: Vec<_> = listed.difference(&wanted).collect();
    assert!(missing.is_empty(), "add to docs/reactions.md, with their tests: {missing:?}");
    assert!(surplus.is_empty(), "take out of docs/reactions.md: {surplus:?}");
}

#[test]
fn every_test_that_the_table_names_exists() {
    for row in table() {
        assert!(!row.tests.is_empty());
        for test in &row.tests {
            let (path, name) = place(&row.consumer, test);
            let source =
                read(&path).unwrap_or_else(|| panic!("{} on {}: no file {path}", row.consumer, row.on));
            assert!(has_test(&source, &name), "{} on {}: no test {name} in {path}", row.consumer, row.on);
        }
    }
}

#[test]
fn a_function_that_is_no_test_and_a_name_in_a_comment_do_not_count() {
    let source =
        "#[test]\nfn a() {}\n// #[test]\n// fn b() {}\nfn c() {}\n#[tokio::test(x)]\nasync fn d() {}";
    let found: Vec<&str> = ["a", "b", "c", "d"].into_iter().filter(|name| has_test(source, name)).collect();
    assert_eq!(found, ["a", "d"]);
}
