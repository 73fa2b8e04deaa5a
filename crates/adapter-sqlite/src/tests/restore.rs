//! Putting a back-up into an empty directory.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use backbone::commit::Expected;
use backbone::keyring::KeyRing as _;
use uuid::Uuid;

use super::sample::{append, committed, journal, noting, open, read_note};
use crate::{MasterKey, OpenError, RestoreError, SqliteKeyRing, Store, restore};

const PERSON: Uuid = Uuid::from_u128(7);

/// A store with some pages, closed in order, and a back-up of it and of its keys.
async fn backed_up(place: &Path) -> (PathBuf, PathBuf) {
    let directory = place.join("market");
    let store = open(&directory);
    let opened = journal(&store).await;
    for number in 0..50u64 {
        let mut commit = noting(&number.to_string(), Expected::Any);
        commit.appends = vec![append("order-1", number * 5, 5)];
        committed(&opened, commit).await;
    }
    let ring = SqliteKeyRing::open(&directory, master()).unwrap();
    ring.ensure(&[PERSON]).await.unwrap();
    store.close().unwrap();
    let store = Store::open_read_only(&directory).unwrap();
    let (data, keys) = (place.join("backup.db"), place.join("keys-backup.db"));
    store.backup(&data, |_, _| {}).unwrap();
    ring.backup(&keys).unwrap();
    (data, keys)
}

fn master() -> MasterKey {
    MasterKey::from_hex(&"a".repeat(64)).unwrap()
}

fn files(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "lock");
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_store_holds_the_same_and_counts_as_crashed() {
    let place = tempfile::tempdir().unwrap();
    let (data, keys) = backed_up(place.path()).await;
    let there = place.path().join("restored");
    restore(&data, Some(&keys), &there).unwrap();
    assert_eq!(files(&there), ["a4co.db", "keys.db"], "nothing else is left");
    for name in files(&there) {
        assert_eq!(fs::metadata(there.join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let store = open(&there);
    assert!(!store.was_clean_shutdown(), "the back-up was of a store in order, and is replayed all the same");
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    let (restored, original) = (journal(&store).await, journal(&open(&place.path().join("market"))).await);
    assert_eq!(
        restored.history("order-1", 0, usize::MAX).await.unwrap(),
        original.history("order-1", 0, usize::MAX).await.unwrap()
    );
    assert_eq!(read_note(&restored, "49").await, read_note(&original, "49").await);
    let rings = [&there, &place.path().join("market")].map(|at| SqliteKeyRing::open(at, master()).unwrap());
    assert_eq!(rings[0].find(&[PERSON]).await.unwrap(), rings[1].find(&[PERSON]).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_overwritten() {
    let place = tempfile::tempdir().unwrap();
    let (data, keys) = backed_up(place.path()).await;
    let market = place.path().join("market");
    let before = fs::read(market.join("a4co.db")).unwrap();
    let occupied = restore(&data, Some(&keys), &market).unwrap_err();
    assert!(matches!(occupied, RestoreError::Occupied { .. }), "{occupied}");
    assert_eq!(fs::read(market.join("a4co.db")).unwrap(), before);
    let other = place.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("letters.txt"), "mine").unwrap();
    let occupied = restore(&data, None, &other).unwrap_err().to_string();
    assert!(occupied.contains("holds letters.txt: nothing is overwritten"), "{occupied}");
    let empty = place.path().join("empty");
    let _held = open(&empty);
    let in_use = restore(&data, None, &empty).unwrap_err();
    assert!(matches!(in_use, RestoreError::Unfit(OpenError::InUse { .. })), "{in_use}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_or_foreign_never_becomes_a_market() {
    let place = tempfile::tempdir().unwrap();
    let (data, keys) = backed_up(place.path()).await;
    let there = place.path().join("restored");
    let refused = |from: &Path, keys: Option<&Path>| {
        let refused = restore(from, keys, &there).unwrap_err().to_string();
        assert_eq!(files(&there), Vec::<String>::new(), "{refused}");
        refused
    };
    let changed = |name: &str, change: &dyn Fn(&fs::File)| {
        let path = place.path().join(name);
        fs::copy(&data, &path).unwrap();
        change(&fs::File::options().write(true).open(&path).unwrap());
        path
    };
    let damaged = changed("damaged.db", &|file| file.write_all_at(&[0xFF; 4_096], 8 * 4_096).unwrap());
    assert!(refused(&damaged, Some(&keys)).contains("damaged.db is damaged"));
    let short = changed("short.db", &|file| file.set_len(6 * 4_096).unwrap());
    assert!(refused(&short, None).contains("short.db is damaged"));
    let garbled = changed("garbled.db", &|file| file.write_all_at(b"not a database", 0).unwrap());
    assert!(refused(&garbled, None).contains("garbled.db is damaged"));
    // user_version stands at offset 60 of the header, application_id at 68.
    let newer = changed("newer.db", &|file| file.write_all_at(&99u32.to_be_bytes(), 60).unwrap());
    assert!(refused(&newer, None).contains("newer.db has layout 99"));
    let foreign = changed("foreign.db", &|file| file.write_all_at(&7u32.to_be_bytes(), 68).unwrap());
    assert!(refused(&foreign, None).contains("database of another application"));
    fs::write(place.path().join("nothing.db"), "").unwrap();
    assert!(refused(&place.path().join("nothing.db"), None).contains("holds nothing"));
    assert!(refused(&keys, None).contains("database of another application"));
    assert!(refused(&data, Some(&data)).contains("is not a back-up of keys"));
    assert!(refused(&place.path().join("missing.db"), None).contains("missing.db: "));
    let raw = changed("raw.db", &|_| {});
    fs::write(place.path().join("raw.db-wal"), "changes").unwrap();
    assert!(refused(&raw, None).contains("make one with `a4co backup`"));
    restore(&data, Some(&keys), &there).unwrap();
}
