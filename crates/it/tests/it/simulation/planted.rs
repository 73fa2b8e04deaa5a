//! Bugs that were planted on purpose: a simulation that does not find them proves nothing.

use adapter_sim::planted::Bug;

use super::checked;

/// How many seeds may be needed to find one.
const SEEDS: u64 = 200;

/// Looks for a bug; gives it where no seed shows it.
fn missed(bug: &Bug) -> Option<Bug> {
    // What the bug alone makes fail.
    let shown = |seed: u64| checked(seed, Some(*bug)).err().filter(|_| checked(seed, None).is_ok());
    let found = (1..=SEEDS).find_map(|seed| shown(seed).map(|report| (seed, report)));
    let Some((seed, report)) = found else { return Some(*bug) };
    let report: String = report.chars().take(400).collect();
    eprintln!("{bug:?} is found by seed {seed}: {report}\n");
    None
}

/// All, or the one that `A4CO_BUG` names.
fn bugs() -> Vec<Bug> {
    let only = std::env::var("A4CO_BUG").ok();
    let is_wanted = |bug: &Bug| only.as_ref().is_none_or(|name| format!("{bug:?}") == *name);
    Bug::ALL.into_iter().filter(is_wanted).collect()
}

#[test]
fn every_planted_bug_is_found() {
    let bugs = bugs();
    let half = bugs.len().div_ceil(super::THREADS);
    let missed: Vec<Bug> = std::thread::scope(|scope| {
        let look = |bugs: &[Bug]| bugs.iter().filter_map(missed).collect::<Vec<_>>();
        let threads: Vec<_> = bugs.chunks(half).map(|bugs| scope.spawn(move || look(bugs))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread only gathers")).collect()
    });
    assert!(missed.is_empty(), "{SEEDS} seeds do not show {missed:?}");
}
