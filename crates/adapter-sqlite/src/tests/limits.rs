//! Limits: the size of the file, the time that an inline read takes.

use backbone::collection::{Compare, Query};
use backbone::commit::{Commit, Expected};
use backbone::journal::{Error, Stored, Want};

use super::sample::{NOTES, append, committed, is_committed, journal, note, noting, open, read_note};
use crate::{Options, Store};

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_work_goes_on_when_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { bytes_max: Some(1024 * 1024), ..Options::default() };
    let store = Store::open(directory.path(), options).unwrap();
    let opened = journal(&store).await;
    let mut last = Ok(());
    let mut kept = 0;
    while kept < 10_000 {
        match opened.submit(noting(&format!("{kept:05}{}", "x".repeat(500)), Expected::Any)).await.unwrap() {
            Ok(_) => kept += 1,
            Err(error) => {
                last = Err(error);
                break;
            }
        }
    }
    let error = last.unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable { reason, .. } if reason.contains("free some space")),
        "{error}"
    );
    // What is there can be read, and written over.
    let id = format!("{:05}{}", 7, "x".repeat(500));
    assert!(read_note(&opened, &id).await.is_some());
    let update = opened.submit(noting(&id, Expected::Version(1))).await.unwrap();
    assert!(is_committed(&update), "{update:?}");
    drop(opened);
    store.close().unwrap();
    let store = open(directory.path());
    committed(&journal(&store).await, noting("more", Expected::Any)).await;
}

/// One thread: were the read made inline, nothing else would run meanwhile.
#[tokio::test]
async fn a_read_that_turns_out_large_does_not_hold_up_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let opened = journal(&store).await;
    for batch in 0..60u64 {
        let puts = (0..500).map(|n| note(&format!("{batch}-{n}"), Expected::Any, "title")).collect();
        let appends = vec![append("order-1", batch * 500, 500)];
        committed(&opened, Commit { puts, appends, ..Commit::default() }).await;
    }
    // A page of one, and 30,000 documents to look at for it.
    let rare = Query::all(&NOTES).with("price", Compare::Above, kernel::Money::eur(999_999)).limit(1);
    assert_eq!(opened.find(rare).await.unwrap().len(), 0);
    let loaded = opened.load(vec![Want::Stream("order-1".to_owned())]).await.unwrap();
    assert!(matches!(&loaded[..], [Stored::Stream { events, .. }] if events.len() == 30_000));

    let reading = opened.clone();
    let large = tokio::spawn(async move { reading.load(vec![Want::Stream("order-1".to_owned())]).await });
    let mut meanwhile = 0;
    while !large.is_finished() {
        assert!(read_note(&opened, "0-0").await.is_some());
        meanwhile += 1;
        tokio::task::yield_now().await;
    }
    assert!(large.await.unwrap().is_ok());
    assert!(meanwhile > 10, "{meanwhile} reads were made meanwhile");
}

/// Were the log only added to, it would be as long as all that was ever written.
#[tokio::test]
async fn the_log_of_changes_begins_again_while_commits_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let opened = journal(&store).await;
    let length = || std::fs::metadata(directory.path().join("a4co.db-wal")).unwrap().len();
    let mut longest = 0;
    for number in 0..700u64 {
        let mut put = note(&(number % 8).to_string(), Expected::Any, "x");
        put.body = number.to_string().repeat(200_000).into();
        committed(&opened, Commit { puts: vec![put], ..Commit::default() }).await;
        longest = longest.max(length());
    }
    assert!(longest < 100 * 1024 * 1024, "{longest} bytes of log for some 400 MB written");
    drop(opened);
    store.close().unwrap();
    let store = open(directory.path());
    assert_eq!(read_note(&journal(&store).await, "3").await.map(|found| found.version), Some(88));
}
