//! Keys that are made at the first start of a development market, readable by their owner alone.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context as _, bail};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// The key in `directory/name`, made where there is none.
pub(crate) fn key_file(directory: &Path, name: &str) -> anyhow::Result<[u8; 32]> {
    let path = directory.join(name);
    if !path.exists() {
        let mut fresh = [0; 32];
        SystemRandom::new().fill(&mut fresh).ok().context("the system gives no randomness")?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("making {}", path.display()))?;
        file.write_all(&fresh)?;
        file.sync_all()?;
    }
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    match bytes.try_into() {
        Ok(key) => Ok(key),
        Err(_) => bail!("{} does not hold 32 bytes: restore it from a back-up", path.display()),
    }
}
