//! The repository as the rules see it: text files, crates with their manifests, parsed sources.

use std::collections::BTreeMap;

use super::{Finding, modules, source::Source};
use crate::tree::Tree;

/// A folder of `crates/` with its manifest.
pub(super) struct Crate {
    /// The folder's name, which is the crate's name (rule `layout`).
    pub(super) folder: String,
    /// The manifest's path below the root.
    pub(super) manifest_path: String,
    pub(super) manifest: toml::Table,
}

impl Crate {
    /// The folder's path below the root, with a `/` at its end.
    pub(super) fn path(&self) -> String {
        format!("crates/{}/", self.folder)
    }
}

/// Everything that the rules read.
pub(super) struct Workspace {
    pub(super) tree: Tree,
    pub(super) crates: Vec<Crate>,
    pub(super) sources: BTreeMap<String, Source>,
    /// Files that did not parse.
    pub(super) unreadable: Vec<Finding>,
    /// Source files that no module declaration leads to.
    pub(super) unreached: Vec<String>,
}

impl Workspace {
    pub(super) fn parse(tree: Tree) -> Self {
        let mut unreadable = Vec::new();
        let mut crates = Vec::new();
        let mut sources = BTreeMap::new();
        for (path, text) in &tree.files {
            let Some(below) = path.strip_prefix("crates/") else { continue };
            if let Some(folder) = below.strip_suffix("/Cargo.toml").filter(|folder| !folder.contains('/')) {
                match text.parse() {
                    Ok(manifest) => crates.push(Crate {
                        folder: folder.to_owned(),
                        manifest_path: path.clone(),
                        manifest,
                    }),
                    Err(error) => unreadable.push(Finding::at(path, error.to_string())),
                }
            } else if path.ends_with(".rs") {
                match Source::parse(text) {
                    Ok(source) => {
                        sources.insert(path.clone(), source);
                    }
                    Err(error) => unreadable.push(Finding::at(path, error.to_string())),
                }
            }
        }
        let reached = modules::reach(&crates, &sources);
        let unreached = sources.keys().filter(|path| !reached.contains_key(*path)).cloned().collect();
        for (path, source) in &mut sources {
            source.is_test = reached.get(path).copied().unwrap_or(false);
        }
        Self { tree, crates, sources, unreadable, unreached }
    }

    /// A workspace in memory, for tests.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self::parse(Tree::of(files))
    }
}

/// A manifest that keeps the rules, with `more` at its end, for tests.
#[cfg(test)]
pub(super) fn manifest(name: &str, more: &str) -> String {
    let inherited: String =
        super::manifests::INHERITED.iter().map(|field| format!("{field}.workspace = true\n")).collect();
    format!("[package]\nname = \"{name}\"\n{inherited}[lints]\nworkspace = true\n{more}")
}
