//! The master key: what wraps every data key, kept apart from them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::{aead, digest, rand};
use uuid::Uuid;

use crate::directory;

/// Where the development key stands in the data directory.
pub const MASTER_KEY_FILE: &str = "master.key";

const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 8;

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file cannot be read or made.
    #[error("the master key {path} cannot be used: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Its content is no key.
    #[error("a master key is 64 hexadecimal digits (32 bytes), for instance from `openssl rand -hex 32`")]
    Form,
    /// Others may read it.
    #[error("the master key {0} can be read by others: `chmod 600 {0}`")]
    Open(String),
    /// The machine gave no randomness.
    #[error("the machine gave no random bytes for a master key")]
    Random,
}

/// An AES-256 key that wraps data keys. Prints as `***`; never stored beside what it wraps.
#[derive(Clone)]
pub struct MasterKey {
    id: String,
    key: [u8; KEY_BYTES],
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({}, ***)", self.id)
    }
}

impl MasterKey {
    /// From 64 hexadecimal digits; white space around them does not count.
    pub fn from_hex(text: &str) -> Result<Self, MasterKeyError> {
        let text = text.trim();
        let mut key = [0; KEY_BYTES];
        if text.len() != 2 * KEY_BYTES || !text.is_ascii() {
            return Err(MasterKeyError::Form);
        }
        for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| MasterKeyError::Form)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| MasterKeyError::Form)?;
        }
        Ok(Self { id: id_of(&key), key })
    }

    /// From a file that holds it as hexadecimal digits.
    pub fn from_file(path: &Path) -> Result<Self, MasterKeyError> {
        Self::from_hex(&fs::read_to_string(path).map_err(|source| in_file(path, source))?)
    }

    /// The development key of a data directory, made at first use for its owner alone. Production
    /// gets its key from elsewhere: beside the data it protects nothing.
    pub fn for_development(directory: &Path) -> Result<Self, MasterKeyError> {
        let path = directory.join(MASTER_KEY_FILE);
        let failed = |source| in_file(&path, source);
        if !path.exists() {
            directory::make(directory).map_err(|e| failed(io::Error::other(e)))?;
            make(&path)?;
        }
        let rights = fs::metadata(&path).map_err(failed)?.permissions().mode();
        if rights & 0o077 != 0 {
            return Err(MasterKeyError::Open(path.display().to_string()));
        }
        Self::from_file(&path)
    }

    /// Names the key without telling it: the first eight bytes of its SHA-256.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Encrypts a person's data key; it can only be read as that person's. `None` where the machine
    /// gives no randomness.
    pub fn wrap(&self, person: Uuid, data_key: &[u8; KEY_BYTES]) -> Option<Vec<u8>> {
        let mut nonce = [0; aead::NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut sealed = data_key.to_vec();
        let aad = aead::Aad::from(person.as_bytes());
        let key = self.aead()?;
        key.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aad, &mut sealed).ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    /// Decrypts a person's data key; `None` where it is another person's, or damaged.
    pub fn unwrap(&self, person: Uuid, wrapped: &[u8]) -> Option<[u8; KEY_BYTES]> {
        let (nonce, sealed) = wrapped.split_at_checked(aead::NONCE_LEN)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let opened =
            self.aead()?.open_in_place(nonce, aead::Aad::from(person.as_bytes()), &mut sealed).ok()?;
        <[u8; KEY_BYTES]>::try_from(&*opened).ok()
    }

    fn aead(&self) -> Option<aead::LessSafeKey> {
        aead::UnboundKey::new(&aead::AES_256_GCM, &self.key).ok().map(aead::LessSafeKey::new)
    }
}

/// A new random data key; `None` where the machine gives no randomness.
pub fn new_data_key() -> Option<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    rand::fill(&mut key).ok().map(|()| key)
}

fn id_of(key: &[u8]) -> String {
    hex(&digest::digest(&digest::SHA256, key).as_ref()[..ID_BYTES])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn in_file(path: &Path, source: io::Error) -> MasterKeyError {
    MasterKeyError::File { path: path.display().to_string(), source }
}

/// Makes a key file, whole or not at all: data keys wrapped by half a key would be lost.
fn make(path: &Path) -> Result<(), MasterKeyError> {
    let key = new_data_key().ok_or(MasterKeyError::Random)?;
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        writeln!(file, "{}", hex(&key))?;
        file.sync_all()?;
        // Unlike a renaming, a link does not replace a key that somebody else made meanwhile.
        match fs::hard_link(&part, path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => directory::sync_parent(path),
        }
    };
    let written = write();
    let _ = fs::remove_file(&part);
    written.map_err(|source| in_file(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: char) -> MasterKey {
        MasterKey::from_hex(&digit.to_string().repeat(64)).unwrap()
    }

    #[test]
    fn a_wrapped_key_is_read_by_its_master_for_its_person_only() {
        let (person, data_key) = (Uuid::from_u128(1), [7; 32]);
        let wrapped = key('a').wrap(person, &data_key).unwrap();
        assert_eq!(key('a').unwrap(person, &wrapped), Some(data_key));
        assert_eq!(key('a').unwrap(Uuid::from_u128(2), &wrapped), None);
        assert_eq!(key('b').unwrap(person, &wrapped), None);
        assert_eq!(key('a').unwrap(person, &wrapped[1..]), None);
        assert_ne!(key('a').wrap(person, &data_key).unwrap(), wrapped, "a nonce is used once");
    }

    #[test]
    fn a_master_key_shows_its_name_and_not_itself() {
        let shown = format!("{:?}", key('a'));
        assert!(shown.contains(key('a').id()) && !shown.contains("aaaa"), "{shown}");
        assert_ne!(key('a').id(), key('b').id());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "abc", &"g".repeat(64), &"ñ".repeat(32), &"a".repeat(65)] {
            assert!(matches!(MasterKey::from_hex(text), Err(MasterKeyError::Form)), "{text}");
        }
        assert!(MasterKey::from_hex(&format!(" {}\n", "0F".repeat(32))).is_ok());
    }

    #[test]
    fn the_development_key_is_made_once_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let first = MasterKey::for_development(directory.path()).unwrap();
        let again = MasterKey::for_development(directory.path()).unwrap();
        assert_eq!(first.id(), again.id());
        let path = directory.path().join(MASTER_KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = MasterKey::for_development(directory.path()).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }
}
