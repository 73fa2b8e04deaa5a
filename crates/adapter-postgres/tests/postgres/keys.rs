//! What several replicas show of the key ring.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use adapter_postgres::{KeyRingError, PostgresKeyRing, Wrapping};
use backbone::keyring::{KeyRing, PersonKey};
use futures::future::join_all;
use uuid::Uuid;

use crate::server::{name, server};

/// Wraps visibly: whether it does it well is proven where a master key is.
struct Master {
    name: String,
    number: u8,
}

impl Wrapping for Master {
    fn id(&self) -> &str {
        &self.name
    }

    fn new_data_key(&self) -> Option<[u8; 32]> {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let mut key = [7; 32];
        key[0] = NEXT.fetch_add(1, Ordering::Relaxed);
        Some(key)
    }

    fn wrap(&self, person: Uuid, data_key: &[u8; 32]) -> Option<Vec<u8>> {
        let key = data_key.iter().map(|byte| byte ^ self.number);
        Some(person.into_bytes().into_iter().chain(key).collect())
    }

    fn unwrap(&self, person: Uuid, wrapped: &[u8]) -> Option<[u8; 32]> {
        let key: Vec<u8> =
            wrapped.strip_prefix(person.as_bytes())?.iter().map(|byte| byte ^ self.number).collect();
        key.try_into().ok()
    }
}

fn master(number: u8) -> Arc<dyn Wrapping> {
    Arc::new(Master { name: format!("master-{number}"), number })
}

pub(crate) async fn keyring(
    address: &str,
    current: u8,
    previous: &[u8],
) -> Result<PostgresKeyRing, KeyRingError> {
    PostgresKeyRing::open(address, master(current), previous.iter().copied().map(master).collect()).await
}

fn persons(count: u128) -> Vec<Uuid> {
    (1..=count).map(Uuid::from_u128).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_make_keys_for_the_same_persons_at_once_get_the_same_keys() {
    let Some(server) = server() else { return };
    let address = server.database();
    let rings = [keyring(&address, 7, &[]).await.unwrap(), keyring(&address, 7, &[]).await.unwrap()];
    let calls = (0..40usize).map(|call| {
        let mut asked = persons(30);
        asked.rotate_left(call % 30);
        let ring = rings[call % 2].clone();
        async move {
            let mut keys = ring.ensure(&asked).await.unwrap();
            keys.rotate_right(call % 30);
            keys
        }
    });
    let keys = join_all(calls).await;
    assert!(keys.iter().all(|found| *found == keys[0]));
    assert_eq!(server.sql(name(&address), "SELECT count(*) FROM keyring.keys"), "30");
}

#[tokio::test]
async fn an_erased_key_leaves_no_wrapped_key_in_its_row() {
    let Some(server) = server() else { return };
    let address = server.database();
    let (ring, person) = (keyring(&address, 7, &[]).await.unwrap(), persons(1)[0]);
    ring.ensure(&[person]).await.unwrap();
    ring.erase(person).await.unwrap();
    let row = server.sql(name(&address), "SELECT length(wrapped), erased_at > 0 FROM keyring.keys");
    assert_eq!(row, "0|t");
    assert_eq!(ring.ensure(&[person]).await.unwrap(), [PersonKey::Erased]);
}

#[tokio::test]
async fn keys_of_a_previous_master_key_are_read_and_those_of_an_unknown_one_refused_at_start() {
    let Some(server) = server() else { return };
    let address = server.database();
    let keys = keyring(&address, 7, &[]).await.unwrap().ensure(&persons(5)).await.unwrap();
    let unknown = keyring(&address, 8, &[]).await.unwrap_err();
    assert!(matches!(&unknown, KeyRingError::UnknownMaster(id) if id == "master-7"), "{unknown}");
    let ring = keyring(&address, 8, &[7]).await.unwrap();
    assert_eq!(ring.find(&persons(5)).await.unwrap(), keys);
    assert_eq!(ring.master_id(), "master-8");
}
