//! Whose directory it is, and in which state.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use backbone::commit::Expected;
use backbone::journal::{Error, Schema};

use super::sample::{NOTES, committed, journal, noting, open, read_note};
use crate::{OpenError, Options, Store};

fn refused(directory: &Path) -> OpenError {
    Store::open(directory, Options::default()).unwrap_err()
}

#[tokio::test]
async fn a_second_one_is_refused_and_told_who_holds_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let error = refused(directory.path());
    assert!(
        matches!(&error, OpenError::InUse { pid, .. } if *pid == std::process::id().to_string()),
        "{error}"
    );
    store.close().unwrap();
    open(directory.path());
}

#[tokio::test]
async fn the_directory_is_made_for_its_owner_alone() {
    let outer = tempfile::tempdir().unwrap();
    let directory = outer.path().join("a/b");
    let store = open(&directory);
    committed(&journal(&store).await, noting("a", Expected::Any)).await;
    let rights = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(rights(&directory), 0o700);
    for file in ["a4co.db", "a4co.db-wal", "a4co.db-shm", "lock"] {
        assert_eq!(rights(&directory.join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_directory_with_other_things_in_it_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("thesis.odt"), "x").unwrap();
    let error = refused(directory.path());
    assert!(error.to_string().contains("not a4co's: thesis.odt"), "{error}");
    let options = Options { neighbours: vec!["thesis.odt".to_owned()], ..Options::default() };
    Store::open(directory.path(), options).unwrap();
}

#[test]
fn a_database_of_another_application_or_of_a_newer_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a4co.db");
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute_batch("CREATE TABLE theirs (x)").unwrap();
    let error = refused(directory.path());
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    conn.execute_batch("DROP TABLE theirs; PRAGMA application_id = 0x6134636f; PRAGMA user_version = 99")
        .unwrap();
    let error = refused(directory.path());
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
}

#[tokio::test]
async fn a_damaged_file_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("a4co.db"),
        "no database at all, and long enough to be looked at".repeat(50),
    )
    .unwrap();
    let error = refused(directory.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("restore the last back-up"), "{error}");
}

#[tokio::test]
async fn damage_inside_the_file_is_found_by_verify() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let journal = journal(&store).await;
    for number in 0..300 {
        committed(&journal, noting(&format!("note-{number}"), Expected::Any)).await;
    }
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    store.close().unwrap();
    let file = directory.path().join("a4co.db");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2 / 4_096 * 4_096;
    bytes[middle..middle + 4_096 * 3].fill(0xA5);
    fs::write(&file, bytes).unwrap();
    let reading = Store::open_read_only(directory.path()).unwrap();
    assert!(!reading.verify().unwrap().is_empty());
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("not a directory");
    fs::write(&file, "").unwrap();
    let error = refused(&file);
    assert!(error.to_string().contains("writable"), "{error}");
}

#[tokio::test]
async fn a_clean_shutdown_is_told_from_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    assert!(store.was_clean_shutdown(), "a new directory was left in order");
    drop(store);
    let store = open(directory.path());
    assert!(!store.was_clean_shutdown(), "dropped, not closed");
    store.close().unwrap();
    store.close().unwrap();
    assert_eq!(fs::metadata(directory.path().join("a4co.db-wal")).map_or(0, |file| file.len()), 0);
    let store = open(directory.path());
    assert!(store.was_clean_shutdown());
}

#[tokio::test]
async fn a_closed_store_wrote_what_waited_and_then_answers_with_errors() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let opened = journal(&store).await;
    let waiting: Vec<_> =
        (0..50).map(|n: i32| opened.submit(noting(&n.to_string(), Expected::Any))).collect();
    store.close().unwrap();
    for answer in waiting {
        assert!(super::sample::is_committed(&answer.await.unwrap()));
    }
    let refused = opened.submit(noting("later", Expected::Any)).await.unwrap().unwrap_err();
    assert!(matches!(&refused, Error::Unavailable { reason, .. } if reason.contains("closed")), "{refused}");
    assert!(opened.feed(0, 1).await.is_err());
    let store = open(directory.path());
    assert!(read_note(&journal(&store).await, "49").await.is_some());
}

#[tokio::test]
async fn a_store_opened_to_be_read_changes_nothing_and_sees_what_is_durable() {
    let directory = tempfile::tempdir().unwrap();
    let nothing = Store::open_read_only(directory.path()).unwrap_err();
    assert!(matches!(nothing, OpenError::Missing(_)), "{nothing}");
    let store = open(directory.path());
    let writing = journal(&store).await;
    committed(&writing, noting("a", Expected::Any)).await;
    let reading = Store::open_read_only(directory.path()).unwrap();
    let journal_read = journal(&reading).await;
    assert!(read_note(&journal_read, "a").await.is_some());
    committed(&writing, noting("b", Expected::Any)).await;
    assert!(read_note(&journal_read, "b").await.is_some());
    let refused = journal_read.submit(noting("c", Expected::Any)).await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("read only"), "{refused}");
    let unknown = reading.storage().open(Schema { service: "payment", collections: vec![&NOTES] }).await;
    assert!(matches!(unknown.err(), Some(Error::Unusable(_))));
    // Without a server as well.
    drop((writing, journal_read));
    store.close().unwrap();
    let reading = Store::open_read_only(directory.path()).unwrap();
    assert!(reading.was_clean_shutdown());
    assert!(read_note(&journal(&reading).await, "b").await.is_some());
}
