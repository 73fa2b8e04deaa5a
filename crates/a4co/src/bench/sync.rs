//! The yardstick of everything durable: how long the disk takes to sync 4 KiB more of a file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::{Error, Times, note, recorder};

/// How often it is measured.
const SYNCS: usize = 300;

/// What one sync takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sync {
    /// How long.
    #[serde(flatten)]
    pub times: Times,
}

impl Sync {
    /// Measures in `directory`, on the disk that the market is kept on. Blocks.
    pub fn measure(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(format!("bench-sync-{}", std::process::id()));
        let measured = appends(&path);
        // Whatever was measured, the file has done its work.
        let removed = fs::remove_file(&path);
        let failed = |source| Error::File { what: format!("syncing {}", path.display()), source };
        let times = measured.map_err(failed)?;
        removed.map_err(failed)?;
        Ok(Self { times })
    }
}

fn appends(path: &Path) -> io::Result<Times> {
    let mut file = File::create(path)?;
    let page = [0x2a_u8; 4_096];
    let mut times = recorder();
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        note(&mut times, started.elapsed());
    }
    Ok(Times::from(&times))
}
