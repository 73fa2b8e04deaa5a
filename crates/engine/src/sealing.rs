//! Personal fields are encrypted here where a commit is made, and made readable here where it is
//! read: the one place (security.md). AES-256-GCM under the person's data key, authenticated
//! with the person, the place and the field, so that a ciphertext moved elsewhere is refused.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use backbone::keyring::{DataKey, PersonKey, SEALED};
use backbone::workspace::Payload;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

/// The keys that a batch needs.
pub(crate) type KeyTable = BTreeMap<Uuid, PersonKey>;

/// Why something could not be sealed.
#[derive(Debug, thiserror::Error)]
#[error("personal data of an unknown key: {0}")]
pub(crate) struct NoKey(Uuid);

/// The payload as it is stored. `place` is where it stands: an event's id, a document's key.
pub(crate) fn seal(payload: Payload, place: &str, keys: &KeyTable) -> Result<Bytes, NoKey> {
    let (mut value, fields, person) = match payload {
        Payload::Plain(bytes) => return Ok(bytes),
        Payload::Personal { value, fields, person } => (value, fields, person),
    };
    let key = keys.get(&person).ok_or(NoKey(person))?;
    for field in fields {
        let Some(slot) = field_mut(&mut value, field) else { continue };
        if slot.is_null() || is_redaction(slot) {
            continue;
        }
        *slot = match key {
            PersonKey::Known(key) => {
                let clear = serde_json::to_vec(slot).expect("values are JSON");
                Value::String(encrypt(key, clear, &aad(person, place, field)))
            }
            // An erased person's data is not written again, not even encrypted.
            PersonKey::Erased => redaction(),
            PersonKey::Absent => return Err(NoKey(person)),
        };
    }
    Ok(serde_json::to_vec(&value).expect("values are JSON").into())
}

/// How many bytes a payload has once it is stored; where a person's data is not written any more,
/// as many as it would have had.
pub(crate) fn sealed_bytes(payload: &Payload) -> usize {
    let (value, fields) = match payload {
        Payload::Plain(bytes) => return bytes.len(),
        Payload::Personal { value, fields, .. } => (value, fields),
    };
    let mut size = json_bytes(value);
    for field in *fields {
        let Some(slot) = field_of(value, field) else { continue };
        if slot.is_null() || is_redaction(slot) {
            continue;
        }
        let clear = json_bytes(slot);
        let sealed = (NONCE_LEN + clear + AES_256_GCM.tag_len()).saturating_mul(4).div_ceil(3);
        // Two quotes; neither the mark nor the letters of BASE64 are ever escaped.
        size = size - clear + SEALED.len() + sealed + 2;
    }
    size
}

/// Counts what is written, and keeps nothing of it.
struct Counted(usize);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn json_bytes(value: &Value) -> usize {
    let mut counted = Counted(0);
    serde_json::to_writer(&mut counted, value).expect("values are JSON");
    counted.0
}

/// Makes the personal fields of `data` readable, or *redacted* where the key is gone.
pub(crate) fn reveal(data: &Bytes, fields: &[&str], person: Uuid, place: &str, key: &PersonKey) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<Value>(data) else { return data.clone() };
    for field in fields {
        let Some(slot) = field_mut(&mut value, field) else { continue };
        let Some(sealed) = slot.as_str().and_then(|text| text.strip_prefix(SEALED)) else { continue };
        *slot = match key {
            PersonKey::Known(key) => {
                decrypt(key, sealed, &aad(person, place, field)).unwrap_or_else(redaction)
            }
            PersonKey::Erased | PersonKey::Absent => redaction(),
        };
    }
    serde_json::to_vec(&value).expect("values are JSON").into()
}

/// A field at the top level, or inside the tag of an externally tagged enum.
fn field_mut<'v>(value: &'v mut Value, field: &str) -> Option<&'v mut Value> {
    let object = value.as_object_mut()?;
    if object.contains_key(field) {
        return object.get_mut(field);
    }
    if object.len() == 1 {
        return object.values_mut().next()?.as_object_mut()?.get_mut(field);
    }
    None
}

fn field_of<'v>(value: &'v Value, field: &str) -> Option<&'v Value> {
    let object = value.as_object()?;
    if object.len() == 1 && !object.contains_key(field) {
        return object.values().next()?.get(field);
    }
    object.get(field)
}

fn redaction() -> Value {
    json!({"redacted": true})
}

fn is_redaction(value: &Value) -> bool {
    value.get("redacted").is_some_and(|mark| mark == true)
}

fn aad(person: Uuid, place: &str, field: &str) -> Aad<Vec<u8>> {
    Aad::from(format!("{person}|{place}|{field}").into_bytes())
}

fn encrypt(key: &DataKey, mut data: Vec<u8>, aad: &Aad<Vec<u8>>) -> String {
    let key = RandomizedNonceKey::new(&AES_256_GCM, &key.0).expect("a data key has 32 bytes");
    let nonce = key
        .seal_in_place_append_tag(Aad::from(aad.as_ref()), &mut data)
        .expect("a field is far below the cipher's limit");
    let mut sealed = nonce.as_ref().to_vec();
    sealed.append(&mut data);
    format!("{SEALED}{}", BASE64.encode(sealed))
}

fn decrypt(key: &DataKey, sealed: &str, aad: &Aad<Vec<u8>>) -> Option<Value> {
    let mut sealed = BASE64.decode(sealed).ok()?;
    if sealed.len() < NONCE_LEN {
        return None;
    }
    let mut data = sealed.split_off(NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(&sealed).ok()?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, &key.0).ok()?;
    let clear = key.open_in_place(nonce, Aad::from(aad.as_ref()), &mut data).ok()?;
    serde_json::from_slice(clear).ok()
}

/// The text under which a private event is authenticated.
pub(crate) fn event_place(stream: &str, version: u64) -> String {
    format!("{stream}#{version}")
}

/// The text under which a document is authenticated.
pub(crate) fn document_place(collection: &str, id: &str) -> String {
    format!("{collection}/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn personal(person: Uuid) -> Payload {
        Payload::Personal {
            value: json!({"Placed": {"email": "ana@example.org", "n": 1}}),
            fields: &["email"],
            person,
        }
    }

    #[test]
    fn a_sealed_field_is_not_in_clear_and_reads_back_only_in_its_place() {
        let person = Uuid::from_u128(7);
        let key = PersonKey::Known(DataKey([9; 32]));
        let keys = KeyTable::from([(person, key.clone())]);
        let stored = seal(personal(person), "order-1#1", &keys).unwrap();
        assert!(!String::from_utf8_lossy(&stored).contains("ana@"));
        let read = |place: &str, key: &PersonKey| -> Value {
            let bytes = reveal(&stored, &["email"], person, place, key);
            serde_json::from_slice::<Value>(&bytes).unwrap()["Placed"]["email"].clone()
        };
        assert_eq!(read("order-1#1", &key), json!("ana@example.org"));
        assert_eq!(read("order-2#1", &key), redaction(), "moved elsewhere it is refused");
        assert_eq!(read("order-1#1", &PersonKey::Erased), redaction());
    }

    #[test]
    fn the_size_of_what_will_be_stored_is_known_before_it_is_sealed() {
        let person = Uuid::from_u128(7);
        let keys = KeyTable::from([(person, PersonKey::Known(DataKey([9; 32])))]);
        let nothing = json!({"email": null, "name": redaction(), "n": 1});
        for clear in ["", "a", "ab", "abc", "\"quoted\" and \u{1}", "Úbeda"] {
            for value in
                [json!({"Placed": {"email": clear}}), json!({"email": clear, "n": 1}), nothing.clone()]
            {
                let payload = Payload::Personal { value, fields: &["email", "name"], person };
                let foreseen = sealed_bytes(&payload);
                assert_eq!(foreseen, seal(payload, "x", &keys).unwrap().len(), "{clear:?}");
            }
        }
        assert_eq!(sealed_bytes(&Payload::Plain(Bytes::from_static(b"{}"))), 2);
    }

    #[test]
    fn nothing_about_an_erased_person_is_written_again() {
        let person = Uuid::from_u128(7);
        let keys = KeyTable::from([(person, PersonKey::Erased)]);
        let stored = seal(personal(person), "x", &keys).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&stored).unwrap()["Placed"]["email"], redaction());
    }
}
