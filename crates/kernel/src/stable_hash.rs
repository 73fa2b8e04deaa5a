//! The one hash that decides where something goes: lanes, partitions, fingerprints.

/// XXH3-64 with seed 0 of the bytes. Fixed and specified (reliability.md, rule 18): the standard
/// library's hash may change between releases, and a lane that changes loses its order.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::stable_hash;

    #[test]
    fn the_hash_is_the_published_one() {
        // XXH3's own sanity value for empty input with seed 0.
        assert_eq!(stable_hash(b""), 0x2D06_8005_38D3_94C2);
    }
}
