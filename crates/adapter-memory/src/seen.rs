//! What was seen once. Bounded in time by each thing's own end, and in size; full, it refuses rather
//! than forgets, because what is forgotten can be done again.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// How many seconds of ends share a bucket, which is dropped as a whole.
const BUCKET_SECONDS: i64 = 30;

/// What happened to a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    First,
    Again,
    /// Too many to remember one more.
    Full,
}

/// Keys, eight bytes each: a hash under a key of this process, so that nobody outside can make two
/// that look alike (by chance, one in 10¹² at a million entries).
pub(crate) struct SeenOnce {
    hasher: RandomState,
    buckets: BTreeMap<i64, HashSet<u64>>,
    count: usize,
    count_max: usize,
}

impl SeenOnce {
    pub(crate) fn new(count_max: usize) -> Self {
        Self { hasher: RandomState::new(), buckets: BTreeMap::new(), count: 0, count_max }
    }

    /// Remembers `key` until `until`; times are seconds since 1970.
    pub(crate) fn see(&mut self, key: &str, until: i64, now: i64) -> Seen {
        while let Some(oldest) = self.buckets.first_entry()
            && (oldest.key() + 1) * BUCKET_SECONDS <= now
        {
            self.count -= oldest.remove().len();
        }
        let entry = self.hasher.hash_one(key);
        // All buckets: the same key may come with another end. Tokens fill a dozen.
        if self.buckets.values().any(|bucket| bucket.contains(&entry)) {
            return Seen::Again;
        }
        if self.count >= self.count_max {
            return Seen::Full;
        }
        self.buckets.entry(until.div_euclid(BUCKET_SECONDS)).or_default().insert(entry);
        self.count += 1;
        Seen::First
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_remembered_until_its_end_and_not_longer() {
        let mut seen = SeenOnce::new(2);
        assert_eq!(seen.see("t1", 330, 0), Seen::First);
        assert_eq!(seen.see("t1", 330, 329), Seen::Again);
        assert_eq!(seen.see("t1", 700, 329), Seen::Again, "another end is no other key");
        assert_eq!(seen.see("t2", 330, 329), Seen::First);
        assert_eq!(seen.see("t3", 330, 329), Seen::Full);
        assert_eq!(seen.see("t1", 330, 329), Seen::Again, "full is no reason to forget");
        assert_eq!(seen.see("u3", 700, 360), Seen::First, "what has ended makes room");
        assert_eq!(seen.count, 1);
    }
}
