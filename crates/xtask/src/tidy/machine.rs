//! Nothing of one machine: folders of its users and hosts of its package mirror stay out of the
//! repository, which must build anywhere.

use super::{Finding, workspace::Workspace};

/// The only file that may name what it looks for.
const HERE: &str = "crates/xtask/src/tidy/machine.rs";
/// Cargo writes the registry's address into it.
const LOCK: &str = "Cargo.lock";

const FOLDERS: &[&str] = &["/work/", "/root/", "/home/", "/Users/"];
const HOSTS: &[&str] = &["index.crates.io", "static.crates.io", "crates.io-index", "artifactory"];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in &workspace.tree.files {
        if path == HERE {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            let mut refuse = |what: String| findings.push(Finding::at_line(path, index + 1, what));
            for folder in FOLDERS.iter().filter(|folder| starts_a_path(line, folder)) {
                refuse(format!(
                    "`{folder}` is a folder of one machine: use a path below the repository's root or an \
                     environment variable"
                ));
            }
            for host in HOSTS.iter().filter(|host| path != LOCK && line.contains(**host)) {
                refuse(format!(
                    "`{host}` is the host of a registry: leave the choice to the machine's cargo configuration"
                ));
            }
        }
    }
    findings
}

/// `/home/` in `https://example.org/home/` or `./home/` is somebody's page or folder, not a machine's.
fn starts_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-~}".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, text: &str) -> Vec<String> {
        check(&Workspace::of(&[(path, text)])).into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn a_folder_of_a_machine_is_refused_in_any_file() {
        assert_eq!(places("README.md", "see\n`/home/ana/a4co`"), ["README.md:2"]);
        assert_eq!(places(".ci/run", "cd /work/market"), [".ci/run:1"]);
        assert!(
            places("README.md", "https://example.org/home/ and crates/root/src and ${X}/work/").is_empty()
        );
    }

    #[test]
    fn the_host_of_a_registry_is_refused_except_in_the_lock_file() {
        let text = "https://mirror.example/artifactory/cargo";
        assert_eq!(places("deny.toml", text), ["deny.toml:1"]);
        assert!(places("Cargo.lock", text).is_empty());
        assert!(places("README.md", "published on crates.io").is_empty());
    }
}
