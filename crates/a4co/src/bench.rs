//! Benches: each with a progress bar, a table and, where it is wanted, a JSON file; each beside the
//! yardsticks of its own run, because absolute figures drift on shared machines (performance.md).
//!
//! A bench is not a test: nothing here fails because a machine is slow.

use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

mod cpu;
pub mod journal;
pub mod orders;
mod sync;

pub use sync::Sync;

/// Why a bench gives no figures.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory for its files, or the file for its figures.
    #[error("{what}: {source}")]
    File {
        /// What was attempted.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The store did not open or did not write.
    #[error("the store failed: {0}")]
    Store(String),
    /// The bus did not deliver.
    #[error(transparent)]
    Bus(#[from] backbone::bus::Error),
    /// The market did not do as it was asked.
    #[error(transparent)]
    Market(#[from] crate::client::Error),
    /// Nothing can be measured here.
    #[error("{0}")]
    Unfit(String),
}

/// Times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    /// The median.
    pub p50_ms: f64,
    /// 99 of 100 are not longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// A recorder of times: microseconds up to a minute, to three digits.
pub(crate) fn recorder() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000, 3).expect("three digits up to a minute are a histogram")
}

/// Notes a time; what is longer than a minute counts as a minute.
pub(crate) fn note(times: &mut Histogram<u64>, time: Duration) {
    times.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
}

impl From<&Histogram<u64>> for Times {
    fn from(times: &Histogram<u64>) -> Self {
        let ms = |micros: u64| micros as f64 / 1_000.0;
        Self {
            p50_ms: ms(times.value_at_quantile(0.5)),
            p99_ms: ms(times.value_at_quantile(0.99)),
            max_ms: ms(times.max()),
        }
    }
}

/// Writes figures as JSON.
pub(crate) fn write_json(path: &Path, figures: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(figures).expect("figures are JSON");
    std::fs::write(path, text)
        .map_err(|source| Error::File { what: format!("writing {}", path.display()), source })
}

/// A figure with as many digits as it deserves.
pub(crate) fn figure(value: f64) -> String {
    match value {
        v if v >= 1_000.0 => crate::table::thousands(v.round() as u64),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 0.1 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}
