//! What only the file of keys shows.

use std::fs;
use std::path::Path;

use backbone::keyring::{KeyRing, PersonKey};
use rusqlite::Connection;
use uuid::Uuid;

use crate::{KeyRingError, MasterKey, SqliteKeyRing};

fn master(digit: char) -> MasterKey {
    MasterKey::from_hex(&digit.to_string().repeat(64)).unwrap()
}

fn open(directory: &Path) -> SqliteKeyRing {
    SqliteKeyRing::open(directory, master('a')).unwrap()
}

/// The wrapped keys of all persons, as they stand in the file.
fn wrapped(directory: &Path) -> Vec<(Uuid, Vec<u8>)> {
    let conn = Connection::open(directory.join("keys.db")).unwrap();
    let mut statement = conn.prepare("SELECT person, wrapped FROM keys").unwrap();
    let rows = statement
        .query_map([], |row| Ok((Uuid::from_slice(&row.get::<_, Vec<u8>>(0)?).unwrap(), row.get(1)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn contains(directory: &Path, needle: &[u8]) -> bool {
    fs::read_dir(directory).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

/// Scattered, as random ids are: pages are split and merged in every way there is.
fn persons(count: u64) -> Vec<Uuid> {
    (1..=count).map(|n| Uuid::from_u64_pair(n.wrapping_mul(0x9E37_79B9_7F4A_7C15), n)).collect()
}

#[tokio::test]
async fn an_erased_key_is_gone_from_the_bytes_of_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let ring = open(directory.path());
    let persons = persons(3_000);
    for some in persons.chunks(7) {
        ring.ensure(some).await.unwrap();
    }
    let before = wrapped(directory.path());
    assert_eq!(before.len(), 3_000);
    let mut erased = Vec::new();
    for (index, person) in persons.iter().enumerate().filter(|(index, _)| index % 101 == 3) {
        ring.erase(*person).await.unwrap();
        erased.push(before.iter().find(|(id, _)| id == person).unwrap().1.clone());
        assert!(!contains(directory.path(), &erased[erased.len() - 1]), "person {index}");
    }
    for (person, key) in before.iter().filter(|(_, key)| !erased.contains(key)).take(20) {
        assert!(contains(directory.path(), key), "the key of {person} stays");
    }
    ring.ensure(&super::keys::persons(6_000)).await.unwrap();
    for key in &erased {
        assert!(!contains(directory.path(), &key[..24]), "nor does it come back from anywhere");
    }
}

#[tokio::test]
async fn many_keys_are_made_in_one_transaction() {
    let directory = tempfile::tempdir().unwrap();
    let ring = open(directory.path());
    ring.ensure(&persons(1)).await.unwrap();
    let frames = || fs::metadata(directory.path().join("keys.db-wal")).unwrap().len() / 4_120;
    let before = frames();
    let keys = ring.ensure(&persons(500)).await.unwrap();
    assert!(keys.iter().all(|key| matches!(key, PersonKey::Known(_))));
    assert!(frames() - before < 60, "{} pages written for 499 keys", frames() - before);
}

/// Each new customer needs a key: were each a transaction of its own, the disk would set the pace.
#[tokio::test]
async fn calls_that_wait_together_share_a_transaction() {
    let directory = tempfile::tempdir().unwrap();
    let ring = open(directory.path());
    let frames = || fs::metadata(directory.path().join("keys.db-wal")).unwrap().len() / 4_120;
    let before = frames();
    let calls: Vec<_> = persons(300)
        .into_iter()
        .map(|person| {
            let ring = ring.clone();
            tokio::spawn(async move { ring.ensure(&[person, Uuid::from_u128(7)]).await.unwrap() })
        })
        .collect();
    let mut keys = Vec::new();
    for call in calls {
        keys.push(call.await.unwrap());
    }
    assert!(frames() - before < 100, "{} pages written for 300 calls", frames() - before);
    assert!(keys.iter().all(|own| own[1] == keys[0][1] && own[0] != own[1]));
    assert_eq!(wrapped(directory.path()).len(), 301);
}

#[tokio::test]
async fn a_copy_of_the_keys_opens() {
    let directory = tempfile::tempdir().unwrap();
    let ring = open(directory.path());
    let keys = ring.ensure(&persons(10)).await.unwrap();
    let copies = tempfile::tempdir().unwrap();
    ring.backup(&copies.path().join("keys.db")).unwrap();
    assert_eq!(open(copies.path()).find(&persons(10)).await.unwrap(), keys);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_a_key_from_memory_once_it_is_erased() {
    let directory = tempfile::tempdir().unwrap();
    let ring = open(directory.path());
    for person in persons(40) {
        ring.ensure(&[person]).await.unwrap();
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let ring = ring.clone();
                tokio::spawn(async move {
                    let mut seen_erased = false;
                    for _ in 0..20 {
                        let erased = ring.find(&[person]).await.unwrap() == [PersonKey::Erased];
                        assert!(erased || !seen_erased, "a key came back");
                        seen_erased = erased;
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        ring.erase(person).await.unwrap();
        assert_eq!(ring.find(&[person]).await.unwrap(), [PersonKey::Erased]);
        for reader in readers {
            reader.await.unwrap();
        }
        assert_eq!(ring.ensure(&[person]).await.unwrap(), [PersonKey::Erased]);
    }
}

#[tokio::test]
async fn a_new_master_key_takes_over_and_the_old_one_is_then_not_needed() {
    let directory = tempfile::tempdir().unwrap();
    let persons = persons(50);
    let keys = open(directory.path()).ensure(&persons).await.unwrap();
    let unknown = SqliteKeyRing::open(directory.path(), master('b')).unwrap_err();
    assert!(matches!(unknown, KeyRingError::UnknownMaster(_)), "{unknown}");
    let ring = SqliteKeyRing::open_with_previous(directory.path(), master('b'), vec![master('a')]).unwrap();
    assert_eq!(ring.find(&persons).await.unwrap(), keys);
    let old = wrapped(directory.path());
    assert_eq!(ring.rewrap().await.unwrap(), 50);
    assert_eq!(ring.rewrap().await.unwrap(), 0);
    assert!(old.iter().all(|(_, key)| !contains(directory.path(), key)));
    drop(ring);
    let ring = SqliteKeyRing::open(directory.path(), master('b')).unwrap();
    assert_eq!(ring.find(&persons).await.unwrap(), keys);
    assert_eq!(ring.master_id(), master('b').id());
}

#[test]
fn a_file_of_something_else_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let conn = Connection::open(directory.path().join("keys.db")).unwrap();
    conn.execute_batch("CREATE TABLE theirs (x)").unwrap();
    let refused = SqliteKeyRing::open(directory.path(), master('a')).unwrap_err();
    assert!(matches!(refused, KeyRingError::Foreign(_)), "{refused}");
}
