//! `cargo xtask tidy`: the rules that the compiler does not know, as programs that ratchet.
//!
//! Every finding says where, what, why and what to do instead. To add a rule: a file in `tidy/` and
//! a line in [`RULES`].

mod bans;
mod floors;
mod layout;
mod machine;
mod manifests;
mod modules;
mod sizes;
mod source;
mod workspace;

use std::fmt;

use anyhow::{Result, ensure};

use crate::{root, tree::Tree};
use workspace::Workspace;

type Rule = fn(&Workspace) -> Vec<Finding>;

const RULES: &[(&str, Rule)] = &[
    ("floors", floors::check),
    ("sizes", sizes::check),
    ("bans", bans::check),
    ("layout", layout::check),
    ("manifests", manifests::check),
    ("machine", machine::check),
];

/// A place that breaks a rule.
#[derive(Debug)]
struct Finding {
    /// A path below the root, with `:line` where there is one.
    place: String,
    /// What is wrong, why it matters, and the remedy.
    what: String,
}

impl Finding {
    fn at(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    fn at_line(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self::at(format!("{path}:{line}"), what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Checks the repository and prints every finding.
pub(crate) fn run() -> Result<()> {
    let (checked, findings) = findings(Tree::read(&root()?)?);
    for finding in &findings {
        println!("{finding}");
    }
    ensure!(findings.is_empty(), "{} findings of tidy", findings.len());
    println!("{checked}: no finding");
    Ok(())
}

/// What was checked, and what breaks a rule.
pub(crate) fn findings(tree: Tree) -> (String, Vec<String>) {
    let workspace = Workspace::parse(tree);
    let mut findings: Vec<String> =
        workspace.unreadable.iter().map(|finding| format!("unreadable: {finding}")).collect();
    for (name, rule) in RULES {
        findings.extend(rule(&workspace).iter().map(|finding| format!("{name}: {finding}")));
    }
    (format!("{} crates, {} source files", workspace.crates.len(), workspace.sources.len()), findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The repository itself is checked by the stage `tidy`; here, small ones.
    #[test]
    fn a_clean_workspace_has_no_finding_and_a_broken_file_is_one() {
        let kernel = workspace::manifest("kernel", "");
        let mut files = vec![
            ("crates/kernel/Cargo.toml", kernel.as_str()),
            ("crates/kernel/src/lib.rs", "//! Values.\nmod money;\n"),
            ("crates/kernel/src/money.rs", "pub fn cents() -> i64 { 1 }\n"),
        ];
        assert_eq!(findings(Tree::of(&files)), ("1 crates, 2 source files".to_owned(), Vec::new()));
        files[2].1 = "fn {";
        let (_, found) = findings(Tree::of(&files));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("unreadable: crates/kernel/src/money.rs: "), "{found:?}");
    }
}
