//! `cargo xtask setup`: what a machine with only Rust lacks.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};

use crate::root;

mod python;
mod servers;

/// A cargo subcommand that `cargo xtask test` calls.
struct Tool {
    subcommand: &'static str,
    package: &'static str,
    /// Installed where none is there yet. A version that is already on the machine is left alone.
    version: &'static str,
}

const TOOLS: [Tool; 2] = [
    Tool { subcommand: "nextest", package: "cargo-nextest", version: "0.9.151" },
    Tool { subcommand: "deny", package: "cargo-deny", version: "0.20.2" },
];

/// The tools mostly wait for compilers and tests, so the build that is done first is the best: on
/// two cores 2½ minutes for both, against twice the CPU time with optimisation, and no slower in use.
/// (Default features would only add the runner's self-update and its tracing probes.)
const PROFILE: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
];

/// Installs the tools that are missing into cargo's home, and the servers that tests start from
/// the distribution's packages.
pub(crate) fn run() -> Result<()> {
    servers::install_missing()?;
    python::install_missing(&root()?)?;
    for tool in &TOOLS {
        if is_installed(tool) {
            println!("{}: here", tool.package);
            continue;
        }
        println!("{} {}: missing, installing (a few minutes, once)", tool.package, tool.version);
        let started = Instant::now();
        install(tool)?;
        println!("{}: installed in {:.0} s", tool.package, started.elapsed().as_secs_f32());
    }
    Ok(())
}

/// Installs the servers alone.
pub(crate) fn servers() -> Result<()> {
    servers::install_missing()
}

fn is_installed(tool: &Tool) -> bool {
    Command::new("cargo")
        .args([tool.subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn install(tool: &Tool) -> Result<()> {
    let status = Command::new("cargo")
        .args(["install", "--locked", "--no-default-features", "--version", tool.version, tool.package])
        .envs(PROFILE)
        .status()
        .context("start cargo install")?;
    ensure!(status.success(), "cargo install {} failed ({status})", tool.package);
    Ok(())
}
