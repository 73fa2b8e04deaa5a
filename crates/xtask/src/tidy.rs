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

use anyhow::{Result, bail};

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
    let workspace = Workspace::parse(Tree::read(&root()?)?);
    let mut broken = 0;
    for finding in &workspace.unreadable {
        println!("unreadable  {finding}");
        broken += 1;
    }
    for (name, rule) in RULES {
        for finding in rule(&workspace) {
            println!("{name}  {finding}");
            broken += 1;
        }
    }
    if broken > 0 {
        bail!("{broken} findings of tidy");
    }
    println!("{} crates, {} source files, no finding", workspace.crates.len(), workspace.sources.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The repository itself is checked by the stage `tidy`; here, a small one that breaks nothing.
    #[test]
    fn a_small_clean_workspace_has_no_finding() {
        let workspace = Workspace::of(&[
            ("crates/kernel/Cargo.toml", &workspace::manifest("kernel", "")),
            ("crates/kernel/src/lib.rs", "//! Values.\nmod money;\n"),
            ("crates/kernel/src/money.rs", "pub fn cents() -> i64 { 1 }\n"),
        ]);
        assert!(workspace.unreadable.is_empty());
        for (name, rule) in RULES {
            let findings: Vec<String> = rule(&workspace).iter().map(ToString::to_string).collect();
            assert_eq!(findings, Vec::<String>::new(), "rule {name}");
        }
    }
}
