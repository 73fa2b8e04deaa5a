//! Floors: which crate of the workspace may depend on which. Dependencies point downward, never up
//! and never sideways. The table is the one of ARCHITECTURE.md; the two change together.

use super::{Finding, manifests, workspace::Workspace};

/// The crates a family may depend on. A name that ends in `-*` stands for all with that prefix.
struct Floor {
    family: &'static str,
    may: &'static [&'static str],
    /// Allowed in `[dev-dependencies]` besides `may`.
    may_in_tests: &'static [&'static str],
    /// What to do instead of an edge that is refused.
    remedy: &'static str,
}

/// The product and what tests are made of, for those who put all of it together.
const EVERYTHING: &[&str] = &[
    "kernel",
    "contracts",
    "backbone",
    "engine",
    "adapter-*",
    "http-kit",
    "telemetry",
    "service-*",
    "provider-*",
    "conformance",
    "testkit",
    "testservers",
    "a4co",
];
const TEST_SUPPORT: &[&str] = &["conformance", "testkit", "testservers", "adapter-memory", "adapter-sim"];

const MOVE_DOWN: &str = "move the shared value down to `kernel`, or turn the edge around";
const USE_A_PORT: &str = "declare a port in `backbone` and let the composition in `a4co` bind it";
const COMPOSE: &str = "let `a4co` put the two together; each knows only `backbone`";
const ASK: &str = "react to the other service's event in `contracts`, or declare a port in `ports.rs` that \
                   `a4co` binds to it";
const TURN_AROUND: &str = "test support sits on the product, not the product on it";

const FLOORS: &[Floor] = &[
    Floor { family: "kernel", may: &[], may_in_tests: &[], remedy: MOVE_DOWN },
    Floor { family: "contracts", may: &["kernel"], may_in_tests: &[], remedy: MOVE_DOWN },
    Floor { family: "backbone", may: &["kernel"], may_in_tests: &[], remedy: USE_A_PORT },
    Floor { family: "telemetry", may: &["kernel"], may_in_tests: &[], remedy: COMPOSE },
    Floor {
        family: "http-kit",
        may: &["kernel", "backbone"],
        may_in_tests: TEST_SUPPORT,
        remedy: USE_A_PORT,
    },
    Floor { family: "engine", may: &["kernel", "backbone"], may_in_tests: TEST_SUPPORT, remedy: USE_A_PORT },
    Floor { family: "adapter-*", may: &["kernel", "backbone"], may_in_tests: TEST_SUPPORT, remedy: COMPOSE },
    Floor {
        family: "service-*",
        may: &["kernel", "contracts", "backbone", "http-kit"],
        may_in_tests: &[],
        remedy: ASK,
    },
    Floor {
        family: "provider-*",
        may: &["kernel", "backbone", "service-*"],
        may_in_tests: &[],
        remedy: "a provider puts one service's port on one outside world",
    },
    Floor { family: "conformance", may: &["kernel", "backbone"], may_in_tests: &[], remedy: COMPOSE },
    Floor { family: "testservers", may: &[], may_in_tests: &[], remedy: TURN_AROUND },
    Floor { family: "testkit", may: EVERYTHING, may_in_tests: &[], remedy: TURN_AROUND },
    Floor { family: "a4co", may: EVERYTHING, may_in_tests: &["fleet"], remedy: TURN_AROUND },
    Floor { family: "fleet", may: EVERYTHING, may_in_tests: &[], remedy: TURN_AROUND },
    Floor { family: "it", may: EVERYTHING, may_in_tests: &[], remedy: TURN_AROUND },
    Floor { family: "xtask", may: &[], may_in_tests: &[], remedy: "it must build when the product does not" },
];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for krate in &workspace.crates {
        let mut refuse = |what: String| findings.push(Finding::at(&krate.manifest_path, what));
        let from = krate.folder.as_str();
        let Some(floor) = floor_of(from) else {
            refuse(format!(
                "`{from}` belongs to no family: name it after one (adapter-, service-, provider-), or add \
                 its floor to ARCHITECTURE.md and to the table in crates/xtask/src/tidy/floors.rs"
            ));
            continue;
        };
        let mut services = Vec::new();
        for (kind, to, _) in manifests::dependencies(&krate.manifest) {
            if !workspace.crates.iter().any(|other| other.folder == to) {
                continue;
            }
            if !allows(floor, kind, to) {
                refuse(refusal(floor, from, to, kind));
            }
            if to.starts_with("service-") && !services.contains(&to) {
                services.push(to);
            }
        }
        if floor.family == "provider-*" && services.len() > 1 {
            refuse(format!(
                "`{from}` depends on {}: a provider serves one service; make a provider for each",
                services.join(" and ")
            ));
        }
    }
    findings
}

fn floor_of(name: &str) -> Option<&'static Floor> {
    FLOORS.iter().find(|floor| matches(floor.family, name))
}

fn allows(floor: &Floor, kind: &str, to: &str) -> bool {
    let any = |patterns: &[&str]| patterns.iter().any(|pattern| matches(pattern, to));
    any(floor.may) || kind == "dev-dependencies" && any(floor.may_in_tests)
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()),
        None => pattern == name,
    }
}

fn refusal(floor: &Floor, from: &str, to: &str, kind: &str) -> String {
    let allowed =
        if floor.may.is_empty() { "no crate of the workspace".to_owned() } else { floor.may.join(", ") };
    let tests = if floor.may_in_tests.is_empty() {
        String::new()
    } else {
        format!(" (in dev-dependencies also {})", floor.may_in_tests.join(", "))
    };
    format!(
        "edge `{from}` → `{to}` in [{kind}]: {} may depend on {allowed}{tests}; {}",
        floor.family, floor.remedy
    )
}

#[cfg(test)]
mod tests {
    use super::{super::workspace::manifest, *};

    /// A workspace with `from` depending on all of `to`, in the given kind of table.
    fn refused(kind: &str, from: &str, to: &[&str]) -> Vec<String> {
        let entries: String = to.iter().map(|name| format!("{name}.workspace = true\n")).collect();
        let mut manifests =
            vec![(format!("crates/{from}/Cargo.toml"), manifest(from, &format!("[{kind}]\n{entries}")))];
        for name in to {
            manifests.push((format!("crates/{name}/Cargo.toml"), manifest(name, "")));
        }
        let files: Vec<(&str, &str)> =
            manifests.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        check(&Workspace::of(&files)).into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn edges_downward_pass() {
        for (from, to) in [
            ("kernel", &[] as &[&str]),
            ("contracts", &["kernel"]),
            ("telemetry", &["kernel"]),
            ("engine", &["kernel", "backbone"]),
            ("adapter-sqlite", &["kernel", "backbone"]),
            ("http-kit", &["kernel", "backbone"]),
            ("service-order", &["kernel", "contracts", "backbone", "http-kit"]),
            ("provider-stripe", &["kernel", "backbone", "service-payment"]),
            ("testkit", &["engine", "adapter-sim", "service-order", "provider-sandbox", "a4co"]),
            ("a4co", &["kernel", "engine", "adapter-nats", "service-order", "provider-smtp", "telemetry"]),
            ("it", &["a4co", "testkit", "conformance"]),
        ] {
            assert_eq!(refused("dependencies", from, to), Vec::<String>::new());
        }
    }

    #[test]
    fn edges_upward_and_sideways_are_refused() {
        for (from, to) in [
            ("kernel", "engine"),
            ("contracts", "backbone"),
            ("backbone", "contracts"),
            ("telemetry", "backbone"),
            ("engine", "adapter-sqlite"),
            ("engine", "http-kit"),
            ("adapter-sqlite", "engine"),
            ("adapter-sqlite", "adapter-sim"),
            ("http-kit", "engine"),
            ("service-order", "service-payment"),
            ("service-order", "engine"),
            ("service-order", "adapter-sqlite"),
            ("service-order", "telemetry"),
            ("provider-stripe", "contracts"),
            ("provider-stripe", "provider-smtp"),
            ("conformance", "contracts"),
            ("testservers", "adapter-postgres"),
            ("xtask", "kernel"),
        ] {
            for kind in ["dependencies", "build-dependencies", "target.'cfg(unix)'.dependencies"] {
                let found = refused(kind, from, &[to]);
                assert_eq!(found.len(), 1, "{from} → {to}: {found:?}");
                assert!(found[0].contains(&format!("`{from}` → `{to}`")), "{found:?}");
            }
        }
    }

    #[test]
    fn a_refusal_names_the_edge_the_rule_and_the_remedy() {
        assert_eq!(
            refused("dependencies", "service-order", &["service-payment"]),
            ["crates/service-order/Cargo.toml: edge `service-order` → `service-payment` in [dependencies]: \
              service-* may depend on kernel, contracts, backbone, http-kit; react to the other service's \
              event in `contracts`, or declare a port in `ports.rs` that `a4co` binds to it"]
        );
    }

    #[test]
    fn a_provider_serves_one_service() {
        let found = refused("dependencies", "provider-smtp", &["service-user", "service-order"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("a provider serves one service"));
    }

    #[test]
    fn test_support_is_for_the_tests_of_engine_adapters_and_http_kit() {
        for from in ["engine", "adapter-sqlite", "http-kit"] {
            assert!(refused("dev-dependencies", from, TEST_SUPPORT).is_empty(), "{from}");
            assert_eq!(refused("dependencies", from, TEST_SUPPORT).len(), TEST_SUPPORT.len(), "{from}");
        }
        for from in ["kernel", "contracts", "backbone", "telemetry", "service-order", "provider-stripe"] {
            assert_eq!(refused("dev-dependencies", from, TEST_SUPPORT).len(), TEST_SUPPORT.len(), "{from}");
        }
    }

    #[test]
    fn a_crate_of_no_family_is_refused() {
        let found = refused("dependencies", "toolbox", &[]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("belongs to no family"));
        assert_eq!(refused("dependencies", "service-", &[]).len(), 1);
    }
}
