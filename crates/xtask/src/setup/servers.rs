//! Servers that tests start for themselves, from the distribution's packages. Nothing of them runs
//! beside the tests: packages that would start a service are told not to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// A server that tests start.
struct Server {
    program: &'static str,
    package: &'static str,
    /// Where the package puts it, if not in `PATH`; `*` stands for any one folder.
    place: &'static str,
}

/// One line a server.
const SERVERS: [Server; 4] = [
    Server { program: "postgres", package: "postgresql", place: "/usr/lib/postgresql/*/bin" },
    Server { program: "nats-server", package: "nats-server", place: "/usr/sbin" },
    Server { program: "rabbitmq-server", package: "rabbitmq-server", place: "/usr/lib/rabbitmq/bin" },
    Server { program: "redis-server", package: "redis-server", place: "/usr/bin" },
];

/// Installs what is missing. Where that cannot be done, tests say loudly what they skip, and on a
/// build machine (`CI=true`) it is an error here.
pub(super) fn install_missing() -> Result<()> {
    let missing: Vec<&Server> = SERVERS.iter().filter(|server| !is_here(server)).collect();
    for server in SERVERS.iter().filter(|server| is_here(server)) {
        println!("{}: here", server.program);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|server| server.package).collect();
    println!("{}: missing, installing", packages.join(", "));
    let installed = apt_install(&packages);
    let left: Vec<&str> = missing.iter().filter(|server| !is_here(server)).map(|s| s.package).collect();
    if installed && left.is_empty() {
        return Ok(());
    }
    let what = format!(
        "{} could not be installed: install it yourself (on Debian `apt-get install {}`)",
        left.join(", "),
        left.join(" ")
    );
    if std::env::var("CI").as_deref() == Ok("true") {
        bail!("{what}");
    }
    println!("WARNING: {what}; the tests that need it are skipped");
    Ok(())
}

/// Installs packages of the distribution; says whether that went well.
pub(super) fn apt_install(packages: &[&str]) -> bool {
    apt(&["update", "--quiet=2"]) && apt(&install(packages))
}

fn is_here(server: &Server) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    places(server.place)
        .into_iter()
        .chain(std::env::split_paths(&path))
        .any(|p| p.join(server.program).is_file())
}

/// The folders that a place stands for.
fn places(place: &str) -> Vec<PathBuf> {
    let Some((before, after)) = place.split_once("/*/") else { return vec![place.into()] };
    let folders = fs::read_dir(before).into_iter().flatten().flatten();
    folders.map(|folder| folder.path().join(after)).collect()
}

fn install<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    [&["install", "--yes", "--quiet=2", "--no-install-recommends"], packages].concat()
}

/// Runs apt-get as root, by sudo where this is not root and sudo asks nothing.
fn apt(arguments: &[&str]) -> bool {
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| {
        use std::os::unix::fs::MetadataExt as _;
        process.uid() == 0
    });
    let mut command = if is_root { Command::new("env") } else { Command::new("sudo") };
    if !is_root {
        command.args(["--non-interactive", "env"]);
    }
    // RUNLEVEL=1: the packages' scripts start no service.
    command.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"]).args(arguments);
    Path::new("/usr/bin/apt-get").exists() && command.status().is_ok_and(|status| status.success())
}
