//! The memory of requests: a service's token is good once for each request id. Bounded in time by
//! the tokens' own end, and in size; full, it refuses rather than forgets, because what is
//! forgotten can be replayed.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// How many seconds of tokens' ends share a bucket, which is dropped as a whole.
const BUCKET_SECONDS: u64 = 30;

/// What happened to a request id.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    First,
    Again,
    /// Too many to remember one more.
    Full,
}

/// Requests of the last minutes, eight bytes each: a hash under a key of this process, so that
/// nobody outside can make two ids that look alike (by chance, one in 10¹² at a million entries).
pub(crate) struct Replays {
    hasher: RandomState,
    buckets: BTreeMap<u64, HashSet<u64>>,
    count: usize,
    count_max: usize,
}

impl Replays {
    pub(crate) fn new(count_max: usize) -> Self {
        Self { hasher: RandomState::new(), buckets: BTreeMap::new(), count: 0, count_max }
    }

    /// Remembers (`jti`, `request`) until `until`; times are seconds since 1970.
    pub(crate) fn see(&mut self, jti: &str, request: &str, until: u64, now: u64) -> Seen {
        while let Some(oldest) = self.buckets.first_entry()
            && (oldest.key() + 1) * BUCKET_SECONDS <= now
        {
            self.count -= oldest.remove().len();
        }
        let entry = self.hasher.hash_one((jti, request));
        let bucket = self.buckets.entry(until / BUCKET_SECONDS).or_default();
        if bucket.contains(&entry) {
            return Seen::Again;
        }
        if self.count >= self.count_max {
            return Seen::Full;
        }
        bucket.insert(entry);
        self.count += 1;
        Seen::First
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_remembered_until_its_end_and_not_longer() {
        let mut replays = Replays::new(2);
        assert_eq!(replays.see("t", "1", 330, 0), Seen::First);
        assert_eq!(replays.see("t", "1", 330, 329), Seen::Again);
        assert_eq!(replays.see("t", "2", 330, 329), Seen::First);
        assert_eq!(replays.see("t", "3", 330, 329), Seen::Full);
        assert_eq!(replays.see("t", "1", 330, 329), Seen::Again, "full is no reason to forget");
        assert_eq!(replays.see("u", "3", 700, 360), Seen::First, "what has ended makes room");
        assert_eq!(replays.count, 1);
    }
}
