//! The programs of servers: where they are, and as whom they run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server's program is not on this machine.
#[derive(Debug)]
pub struct Missing {
    program: &'static str,
    package: &'static str,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is not installed: `apt-get install {}`", self.program, self.package)
    }
}

impl std::error::Error for Missing {}

/// Finds a program in `PATH` or in one of `places`.
pub(crate) fn find(
    program: &'static str,
    package: &'static str,
    places: &[PathBuf],
) -> Result<PathBuf, Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = places.iter().cloned().chain(std::env::split_paths(&path));
    let found = candidates.map(|place| place.join(program)).find(|file| file.is_file());
    found.ok_or(Missing { program, package })
}

/// Whom a server runs as that refuses to run as root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// Another account than root for whatever works in `directory`, which becomes that account's;
    /// `None` where this process is not root.
    pub(crate) fn other_than_root(directory: &Path) -> io::Result<Option<Self>> {
        use std::os::unix::fs::MetadataExt;
        // Whoever made the directory is who this process runs as.
        if fs::metadata(directory)?.uid() != 0 {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd")?;
        let account = ["postgres", "nobody"].iter().find_map(|name| Self::named(&accounts, name));
        let account =
            account.ok_or_else(|| io::Error::other("neither `postgres` nor `nobody` has an account"))?;
        std::os::unix::fs::chown(directory, Some(account.uid), Some(account.gid))?;
        Ok(Some(account))
    }

    fn named(accounts: &str, name: &str) -> Option<Self> {
        let fields: Vec<&str> = accounts
            .lines()
            .map(|line| line.split(':').collect())
            .find(|fields: &Vec<&str>| fields[0] == name)?;
        Some(Self { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
    }

    /// Makes a file this account's.
    pub(crate) fn owns(self, file: &Path) -> io::Result<()> {
        std::os::unix::fs::chown(file, Some(self.uid), Some(self.gid))
    }

    /// Lets a command run as this account.
    pub(crate) fn runs(self, command: &mut Command) {
        use std::os::unix::process::CommandExt;
        command.uid(self.uid).gid(self.gid);
    }
}
