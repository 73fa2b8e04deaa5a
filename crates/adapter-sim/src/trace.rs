//! What happened, for "the same seed gives the same trace".

use std::collections::VecDeque;

use kernel::{Timestamp, stable_hash};

/// How many lines are kept; the hash is over all of them.
const LINES_MAX: usize = 100_000;

/// Lines, and a running hash of all lines ever.
#[derive(Default)]
pub(crate) struct Trace {
    lines: VecDeque<String>,
    hash: u64,
}

impl Trace {
    pub(crate) fn add(&mut self, at: Timestamp, what: &str) {
        let line = format!("{at} {what}");
        self.hash = stable_hash(&[&self.hash.to_le_bytes(), line.as_bytes()].concat());
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}
