//! Layout: the path of a file is the name of its concept, and every file is part of the build.

use super::{Finding, workspace::Workspace};

/// Names that say nothing about what is inside, so everything ends up there.
const BANNED_NAMES: &[&str] =
    &["common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for krate in &workspace.crates {
        let name = krate.manifest.get("package").and_then(|package| package.get("name"));
        if name.and_then(toml::Value::as_str) != Some(krate.folder.as_str()) {
            findings.push(Finding::at(
                &krate.manifest_path,
                format!("the crate must be named `{}`, as its folder", krate.folder),
            ));
        }
        let readme = format!("{}README.md", krate.path());
        if krate.folder.starts_with("service-") && !workspace.tree.files.contains_key(&readme) {
            findings.push(Finding::at(
                readme,
                "missing: one screen with owns, commands, events out, events in, saga, invariants",
            ));
        }
    }
    for path in workspace.sources.keys() {
        let mut parts = path.trim_end_matches(".rs").split('/');
        if let Some(name) = parts.find(|part| BANNED_NAMES.contains(part)) {
            findings.push(Finding::at(
                path,
                format!("`{name}` names no concept: name the file after what it holds, or move each part to the file of its noun"),
            ));
        }
    }
    for path in &workspace.unreached {
        findings
            .push(Finding::at(path, "no `mod` leads here, so it is not compiled: declare it or delete it"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{super::workspace::manifest, *};

    fn places(files: &[(&str, &str)]) -> Vec<String> {
        check(&Workspace::of(files)).into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn a_crate_is_named_as_its_folder() {
        let found = places(&[("crates/kernel/Cargo.toml", &manifest("core", ""))]);
        assert_eq!(found, ["crates/kernel/Cargo.toml"]);
    }

    #[test]
    fn a_service_has_a_readme() {
        let order = manifest("service-order", "");
        let found = places(&[("crates/service-order/Cargo.toml", &order)]);
        assert_eq!(found, ["crates/service-order/README.md"]);
        let with_readme = [
            ("crates/service-order/Cargo.toml", order.as_str()),
            ("crates/service-order/README.md", "# order"),
        ];
        assert!(places(&with_readme).is_empty());
    }

    #[test]
    fn files_and_folders_without_a_concept_are_refused() {
        let found = places(&[
            ("crates/kernel/Cargo.toml", &manifest("kernel", "")),
            ("crates/kernel/src/lib.rs", "mod utils; mod common; mod utilisation;"),
            ("crates/kernel/src/utils.rs", ""),
            ("crates/kernel/src/common/mod.rs", ""),
            ("crates/kernel/src/utilisation.rs", ""),
        ]);
        assert_eq!(found, ["crates/kernel/src/common/mod.rs", "crates/kernel/src/utils.rs"]);
    }

    #[test]
    fn a_file_outside_the_build_is_refused() {
        let found = places(&[
            ("crates/kernel/Cargo.toml", &manifest("kernel", "")),
            ("crates/kernel/src/lib.rs", ""),
            ("crates/kernel/src/old.rs", ""),
        ]);
        assert_eq!(found, ["crates/kernel/src/old.rs"]);
    }
}
