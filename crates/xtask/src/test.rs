//! `cargo xtask test`: every check, cheap ones first, the tests last.
//!
//! The test runner's own summary is the end of the output: nothing is printed after it.

use std::{collections::BTreeSet, process::Command, time::Instant};

use anyhow::{Context as _, Result, ensure};

use crate::{root, setup, tidy, tree::Tree};

/// Runs the stages in order and stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    stage("setup", setup::run)?;
    stage("format", || cargo("fmt --all --check"))?;
    stage("tidy", tidy::run)?;
    stage("clippy", || cargo("clippy --workspace --all-targets --locked -- -D warnings"))?;
    // Without `advisories`: their database is fetched from the network at every run.
    stage("licences, bans, sources", || cargo("deny --locked check licenses bans sources"))?;
    let tree = Tree::read(&root()?)?;
    let documented = crates_with_doc_tests(&tree);
    if !documented.is_empty() {
        let packages: String = documented.iter().map(|name| format!(" --package {name}")).collect();
        stage("doc tests", || cargo(&format!("test --doc --locked{packages}")))?;
    }
    heading("tests");
    cargo("nextest run --workspace --locked")
}

fn stage(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    heading(name);
    let started = Instant::now();
    let outcome = work();
    println!("   {name}: {:.1} s", started.elapsed().as_secs_f32());
    outcome.with_context(|| format!("stage `{name}`"))
}

fn heading(name: &str) {
    println!("\n== {name}");
}

fn cargo(arguments: &str) -> Result<()> {
    let status = Command::new("cargo")
        .args(arguments.split_whitespace())
        .current_dir(root()?)
        .status()
        .context("start cargo")?;
    ensure!(status.success(), "`cargo {arguments}` failed ({status})");
    Ok(())
}

/// Library crates with at least one code block that rustdoc would run. Each costs a link, so the
/// others are left out.
fn crates_with_doc_tests(tree: &Tree) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for (path, text) in &tree.files {
        let Some((name, below)) = path.strip_prefix("crates/").and_then(|rest| rest.split_once('/')) else {
            continue;
        };
        if !below.starts_with("src/") || !tree.files.contains_key(&format!("crates/{name}/src/lib.rs")) {
            continue;
        }
        let readme = tree.files.get(&format!("crates/{name}/README.md"));
        let includes_readme = text.contains("include_str!(\"../README.md\")");
        if has_rust_block(text.lines().filter_map(doc_comment))
            || includes_readme && readme.is_some_and(|readme| has_rust_block(readme.lines()))
        {
            found.insert(name);
        }
    }
    found
}

fn doc_comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))
}

fn has_rust_block<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    let mut inside = false;
    for line in lines {
        let Some(language) = line.trim().strip_prefix("```") else { continue };
        let opens = !inside;
        inside = opens;
        let mut words = language.split(',').map(str::trim);
        let runs =
            |word| matches!(word, "" | "rust" | "should_panic" | "no_run" | "compile_fail" | "edition2024");
        if opens && words.all(runs) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_library_crates_with_a_rust_block_have_doc_tests() {
        let tree = Tree::of(&[
            ("crates/plain/src/lib.rs", "//! ```text\n//! a picture\n//! ```\n"),
            ("crates/shown/src/lib.rs", "mod a;"),
            ("crates/shown/src/a.rs", "    /// ```\n    /// assert!(true);\n    /// ```\n"),
            ("crates/told/src/lib.rs", "#![doc = include_str!(\"../README.md\")]"),
            ("crates/told/README.md", "```rust,no_run\nrun();\n```\n"),
            ("crates/binary/src/main.rs", "//! ```\n//! run();\n//! ```\n"),
        ]);
        assert_eq!(crates_with_doc_tests(&tree), BTreeSet::from(["shown", "told"]));
    }
}
