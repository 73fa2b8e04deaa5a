//! The libraries of `examples/python`, in an environment of their own below the user's cache folder: a
//! test lets that client read and publish a market's events.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::servers;

/// Installs what is missing. Where that cannot be done, the test says loudly that it is skipped.
pub(super) fn install_missing(root: &Path) -> Result<()> {
    let folder = folder().context("neither XDG_CACHE_HOME nor HOME is set")?;
    let python = folder.join("bin/python");
    let requirements = root.join("examples/python/requirements.txt");
    if has(&python, &requirements) {
        println!("python client: here");
        return Ok(());
    }
    println!("python client: missing, installing");
    let made = venv(&folder) || (servers::apt_install(&["python3-venv"]) && venv(&folder));
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements);
    if !(made && succeeds(&mut install)) {
        println!("WARNING: the libraries of examples/python cannot be installed; its test is skipped");
    }
    Ok(())
}

/// `$XDG_CACHE_HOME/a4co/python`, where its test looks for it.
fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("a4co/python"))
}

fn venv(folder: &Path) -> bool {
    succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))
}

/// Whether everything is there already: nothing is fetched.
fn has(python: &Path, requirements: &Path) -> bool {
    let mut look = Command::new(python);
    look.args(["-m", "pip", "install", "--quiet", "--dry-run", "--no-index", "--requirement"]);
    succeeds(look.arg(requirements).stdout(Stdio::null()).stderr(Stdio::null()))
}

fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).status().is_ok_and(|status| status.success())
}
