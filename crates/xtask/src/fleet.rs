//! `cargo xtask fleet` and `cargo xtask faults`: builds the product and the crate that runs many of
//! it, and leaves the rest to them.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{root, setup};

/// Runs `fleet COMMAND …` on a release build, with the servers that it needs installed.
pub(crate) fn run(command: &str, rest: &[&str]) -> Result<()> {
    setup::servers()?;
    cargo(&["build", "--release", "--locked", "--package", "a4co", "--package", "fleet"])?;
    let words = [&["run", "--quiet", "--release", "--locked", "--package", "fleet", "--", command], rest];
    cargo(&words.concat())
}

fn cargo(words: &[&str]) -> Result<()> {
    let status = Command::new("cargo").args(words).current_dir(root()?).status().context("start cargo")?;
    ensure!(status.success(), "`cargo {}` failed ({status})", words.join(" "));
    Ok(())
}
