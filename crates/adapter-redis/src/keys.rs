//! The names of keys.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// What every key begins with.
pub(crate) const PREFIX: &str = "a4co:";

/// How many bytes of the digest a key keeps: nobody finds two that are alike.
const DIGEST_BYTES: usize = 16;

/// `a4co:<family>:<digest>`: as short for a long key as for a short one, and it tells nobody anything.
pub(crate) fn hidden(family: &str, key: &str) -> String {
    let mut name = format!("{PREFIX}{family}:");
    for byte in &Sha256::digest(key.as_bytes())[..DIGEST_BYTES] {
        write!(name, "{byte:02x}").expect("text takes text");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::hidden;

    #[test]
    fn a_key_names_its_family_and_hides_what_it_is_about() {
        assert_eq!(hidden("seen", "abc"), "a4co:seen:ba7816bf8f01cfea414140de5dae2223");
    }
}
