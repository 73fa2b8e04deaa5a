//! Ids that follow from other ids: the same facts give the same id, so nothing is made twice.

use uuid::{Builder, Uuid};

use crate::stable_hash;

/// The id of what `name` says of `seed`: the same both times, another for another name or seed.
///
/// It keeps the seed's first 48 bits (the time, where the seed is a UUIDv7) and has the form of
/// a UUIDv7, so it sorts with the seed; the other 74 bits are a stable hash, which is no secret.
pub fn derived_id(seed: Uuid, name: &str) -> Uuid {
    let mut text = Vec::with_capacity(17 + name.len());
    text.push(0);
    text.extend_from_slice(seed.as_bytes());
    text.extend_from_slice(name.as_bytes());
    let first = stable_hash(&text);
    text[0] = 1;
    let second = stable_hash(&text);
    let mut bits = [0u8; 10];
    bits[..8].copy_from_slice(&first.to_be_bytes());
    bits[8..].copy_from_slice(&second.to_be_bytes()[..2]);
    let millis = seed.as_u128() >> 80;
    Builder::from_unix_timestamp_millis(millis as u64, &bits).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::derived_id;
    use uuid::Uuid;

    #[test]
    fn the_same_facts_give_the_same_id_and_others_another() {
        let seed = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
        let other = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002);
        assert_eq!(derived_id(seed, "a"), derived_id(seed, "a"));
        assert_ne!(derived_id(seed, "a"), derived_id(seed, "b"));
        assert_ne!(derived_id(seed, "a"), derived_id(other, "a"));
    }

    #[test]
    fn it_sorts_with_its_seed_and_has_the_form_of_version_7() {
        let seed = Uuid::from_u128(0x0190_1234_5678_7000_8000_0000_0000_0001);
        let id = derived_id(seed, "a");
        assert_eq!(id.as_bytes()[..6], seed.as_bytes()[..6]);
        assert_eq!(id.get_version_num(), 7);
    }
}
