//! Group commit: what waits together shares one sync, and nobody else's failure.

use std::sync::{Arc, Mutex, mpsc};

use backbone::commit::{Commit, Expected, Outcome};

use super::sample::{
    append, appending, checkpoint, is_committed, journal, note, noting, open, public, read_note,
    stream_length,
};
use crate::queue::Job;
use crate::{Options, Store};

/// Holds the writer until the sender is dropped, so that what comes meanwhile waits together.
async fn hold(store: &Store) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel::<()>();
    let (reply, _) = tokio::sync::oneshot::channel();
    let run = Box::new(move |_: &rusqlite::Connection| {
        let _ = held.recv();
        Ok(())
    });
    store.inner().submit(Job::Task { run, reply });
    while store.stats().queued > 0 {
        tokio::task::yield_now().await;
    }
    release
}

#[tokio::test]
async fn commits_that_wait_together_share_one_sync() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let journal = journal(&store).await;
    let before = store.stats();
    let release = hold(&store).await;
    let answers: Vec<_> = (0..2_500u64)
        .map(|number| {
            let from = number * 2;
            journal.submit(Commit {
                appends: vec![append(&format!("order-{number}"), 0, 1)],
                puts: vec![note(&number.to_string(), Expected::Version(0), "x")],
                source: checkpoint("order-inventory", from, from + 2),
                ..Commit::default()
            })
        })
        .collect();
    drop(release);
    for answer in answers {
        assert!(is_committed(&answer.await.unwrap()));
    }
    let after = store.stats();
    assert_eq!(after.commits - before.commits, 2_500);
    assert_eq!(after.syncs - before.syncs, 3, "1,024 in each");
    assert_eq!(journal.checkpoint("order-inventory").await.unwrap(), 5_000);
}

#[tokio::test]
async fn a_loser_between_two_winners_leaves_no_trace() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let journal = journal(&store).await;
    let release = hold(&store).await;
    // Everything of the loser is written before the last part fails.
    let loser = Commit {
        appends: vec![append("order-2", 0, 3)],
        puts: vec![note("loser", Expected::Any, "x"), note("winner", Expected::Version(7), "x")],
        source: checkpoint("order-inventory", 1, 2),
        outgoing: vec![public("order", 2)],
        ..Commit::default()
    };
    let answers = [
        Commit {
            source: checkpoint("order-inventory", 0, 1),
            outgoing: vec![public("order", 1)],
            ..appending("order-1", 0)
        },
        loser,
        Commit { outgoing: vec![public("order", 3)], ..noting("winner", Expected::Version(0)) },
        Commit { ..Commit::default() },
    ]
    .map(|commit| journal.submit(commit));
    drop(release);
    let mut positions = Vec::new();
    for answer in answers {
        match answer.await.unwrap().unwrap() {
            Outcome::Committed { position } => positions.push(position),
            Outcome::Conflict { which } => assert!(which.contains("winner"), "{which}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(positions, [1, 2, 2], "the loser's event has no position, and the log ends at the last one's");
    assert_eq!(stream_length(&journal, "order-2").await, 0);
    assert_eq!(read_note(&journal, "loser").await, None);
    assert_eq!(journal.checkpoint("order-inventory").await.unwrap(), 1);
    let feed = journal.feed(0, 10).await.unwrap();
    assert_eq!(feed.len(), 1);
}

#[tokio::test]
async fn beyond_its_bound_the_queue_refuses_at_once_and_what_was_built_on_that_fails() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), Options { queue_max: 2, ..Options::default() }).unwrap();
    let journal = journal(&store).await;
    let release = hold(&store).await;
    let kept =
        [1, 2].map(|ticket| journal.submit(Commit { ticket, ..noting(&ticket.to_string(), Expected::Any) }));
    let refused = journal.submit(Commit { ticket: 3, ..noting("3", Expected::Any) }).await.unwrap();
    assert!(refused.unwrap_err().to_string().contains("queue is full"));
    drop(release);
    for answer in kept {
        assert!(is_committed(&answer.await.unwrap()));
    }
    let built = journal.submit(Commit { ticket: 4, built_on: vec![3], ..noting("4", Expected::Any) });
    assert!(matches!(built.await.unwrap(), Ok(Outcome::Conflict { .. })));
    assert_eq!(store.stats().overflowed, 1);
}

#[tokio::test]
async fn a_disk_that_fails_ends_all_work_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let on_fatal = Arc::new(move |what: &str| heard.lock().unwrap().push(what.to_owned()));
    let store = Store::open(directory.path(), Options { on_fatal, ..Options::default() }).unwrap();
    let journal = journal(&store).await;
    // What a broken disk says, from inside the writer.
    let (reply, answer) = tokio::sync::oneshot::channel();
    let break_it = Box::new(|conn: &rusqlite::Connection| {
        conn.execute_batch("COMMIT; PRAGMA writable_schema = ON; BEGIN IMMEDIATE;").unwrap();
        conn.execute("UPDATE sqlite_schema SET rootpage = 1000000 WHERE name = 'order_c_notes'", []).unwrap();
        conn.execute_batch("PRAGMA schema_version = 1000; PRAGMA writable_schema = OFF").unwrap();
        Ok(())
    });
    store.inner().submit(Job::Task { run: break_it, reply });
    let _ = answer.await;
    let failed = journal.submit(noting("a", Expected::Any)).await.unwrap();
    assert!(failed.is_err(), "{failed:?}");
    let later = journal.submit(noting("b", Expected::Any)).await.unwrap().unwrap_err();
    assert!(matches!(later, backbone::journal::Error::Unavailable { .. }), "{later}");
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("a4co verify"), "{said:?}");
}
