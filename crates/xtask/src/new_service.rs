//! `cargo xtask new-service NAME`

use anyhow::{Result, bail};

pub(crate) fn run(_name: &str) -> Result<()> {
    bail!("placeholder")
}
