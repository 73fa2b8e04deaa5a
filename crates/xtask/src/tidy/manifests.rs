//! Manifests: one version of each dependency and one set of lints, both in the root manifest.

use super::{Finding, workspace::Workspace};

/// What every crate takes from `[workspace.package]`.
pub(super) const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

const DEPENDENCY_TABLES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for krate in &workspace.crates {
        let mut refuse = |what: String| findings.push(Finding::at(&krate.manifest_path, what));
        if !is_inherited(krate.manifest.get("lints")) {
            refuse("lints are not the workspace's: add `[lints]` with `workspace = true`".to_owned());
        }
        let package = krate.manifest.get("package").and_then(toml::Value::as_table);
        for field in INHERITED {
            if !is_inherited(package.and_then(|package| package.get(*field))) {
                refuse(format!("`{field}` is not the workspace's: write `{field}.workspace = true`"));
            }
        }
        for (_, name, entry) in dependencies(&krate.manifest) {
            if !is_inherited(Some(entry)) {
                refuse(format!(
                    "dependency `{name}` is declared here: put version or path into [workspace.dependencies] \
                     of the root manifest and write `{name}.workspace = true`"
                ));
            }
        }
    }
    findings
}

/// Every dependency with the kind of table it is in, the tables of platforms included.
pub(super) fn dependencies(manifest: &toml::Table) -> Vec<(&'static str, &str, &toml::Value)> {
    let platforms = manifest.get("target").and_then(toml::Value::as_table);
    let platforms = platforms.into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_table);
    let mut found = Vec::new();
    for table in std::iter::once(manifest).chain(platforms) {
        for kind in DEPENDENCY_TABLES {
            let entries = table.get(*kind).and_then(toml::Value::as_table);
            found.extend(entries.into_iter().flatten().map(|(name, entry)| (*kind, name.as_str(), entry)));
        }
    }
    found
}

fn is_inherited(value: Option<&toml::Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::{super::workspace::manifest, *};

    fn whats(text: &str) -> Vec<String> {
        check(&Workspace::of(&[("crates/kernel/Cargo.toml", text)])).into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn versions_paths_and_own_lints_are_refused() {
        let own = "[package]\nname = \"kernel\"\nversion = \"1.0.0\"\nedition.workspace = true\n\
                   rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n";
        let found = whats(own);
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("[lints]"));
        assert!(found[1].contains("version.workspace = true"));
        for more in [
            "[dependencies]\nserde = \"1\"",
            "[dev-dependencies]\nserde = { path = \"../serde\" }",
            "[target.'cfg(unix)'.dependencies]\nserde = { version = \"1\", optional = true }",
        ] {
            let found = whats(&manifest("kernel", more));
            assert_eq!(found.len(), 1, "{more}");
            assert!(found[0].contains("serde.workspace = true"), "{more}");
        }
    }

    #[test]
    fn an_inherited_dependency_may_be_optional_and_have_features() {
        let more =
            "[dependencies]\nserde.workspace = true\ntokio = { workspace = true, features = [\"net\"] }";
        assert_eq!(whats(&manifest("kernel", more)), Vec::<String>::new());
    }
}
