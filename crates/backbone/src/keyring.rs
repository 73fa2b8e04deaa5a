//! The KeyRing: a data key per person, in a store of its own, backed up apart from the data.
//! Erasing a person destroys the key, and with it the meaning of every encrypted field.

use async_trait::async_trait;
use uuid::Uuid;

/// What a sealed field's text begins with; what follows is ciphertext in base64, under a nonce that
/// no seed reaches: whoever compares two runs leaves it out.
pub const SEALED: &str = "enc1:";

/// Why a key could not be had.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the key store is unavailable: {0}")]
pub struct Error(pub String);

/// A data key, AES-256. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey(pub [u8; 32]);

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(***)")
    }
}

/// What is known of a person's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonKey {
    /// Usable.
    Known(DataKey),
    /// Destroyed: it never comes back, and no new one is made for this person.
    Erased,
    /// There never was one.
    Absent,
}

/// Keeps data keys, wrapped by a master key.
///
/// Promises: a key that `ensure` gave is durable; after `erase` returned no call gives the key
/// again; an erased person gets no new key.
#[async_trait]
pub trait KeyRing: Send + Sync + 'static {
    /// The id of the master key that wraps new keys: CloudEvents `keyid`.
    fn master_id(&self) -> String;

    /// The keys of these persons, in order; missing ones are made, durably, in one go. `Erased`
    /// stays erased.
    async fn ensure(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error>;

    /// The keys of these persons, in order, none made.
    async fn find(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error>;

    /// Destroys a person's key, for good. Erasing twice is harmless.
    async fn erase(&self, person: Uuid) -> Result<(), Error>;
}
