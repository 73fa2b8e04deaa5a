//! `cargo xtask …`: what a developer and the build machine run.
//!
//! It knows the repository's files and the tools of a Rust machine. It knows nothing of the
//! marketplace: no crate of the workspace is among its dependencies, so it builds when they do not.

mod fleet;
mod new_service;
mod setup;
mod test;
mod tidy;
mod tree;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};

const USAGE: &str = "\
usage: cargo xtask <command>

  setup              install the tools that `test` needs and that are missing
  test               setup, format, tidy, clippy, licences and bans, doc tests, tests
  tidy               check floors, sizes, bans, layout, manifests
  new-service NAME   make crates/service-NAME from the skeleton
  fleet …            run the market as many processes on servers of its own (--bus, --orders; --help)
  faults …           break such a fleet under load and check it (--minutes, --seed, --bus; --help)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["setup"] => setup::run(),
        ["test"] => test::run(),
        ["tidy"] => tidy::run(),
        ["new-service", name] => new_service::run(name),
        ["fleet", rest @ ..] => fleet::run("up", rest),
        ["faults", rest @ ..] => fleet::run("faults", rest),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root: where the workspace manifest is, wherever the command was started. Asked at
/// run time, because clones that share a target folder share this binary.
fn root() -> Result<PathBuf> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").context("start it as `cargo xtask`")?;
    let root = Path::new(&here).ancestors().nth(2).context("xtask lies two folders below the root")?;
    Ok(root.to_owned())
}
