//! What goes wrong around a journal, and that it goes on afterwards.

use std::time::{Duration, Instant};

use adapter_postgres::{Options, PostgresStorage};
use backbone::commit::{Commit, Expected, Outcome};
use backbone::journal::Error;

use crate::sample::{
    appending, beside, committed, is_committed, journal, note, noting, stream_length, take_turn,
    until_one_waits,
};
use crate::server::{open, own_server, server};

#[tokio::test]
async fn a_connection_that_ends_in_mid_commit_leaves_the_outcome_unknown_and_the_journal_goes_on() {
    let Some(server) = server() else { return };
    let address = server.database();
    let journal = journal(&open(&address).await).await;
    committed(&journal, appending("order-1", 0)).await;
    let other = beside(&address).await;
    take_turn(&other).await;
    let lost = journal.submit(appending("order-1", 1));
    let operator = beside(&address).await;
    let writer = until_one_waits(&operator).await;
    operator.execute("SELECT pg_terminate_backend($1)", &[&writer]).await.unwrap();
    let answer = lost.await.unwrap();
    assert!(matches!(answer, Err(Error::Unavailable { .. })), "{answer:?}");
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(stream_length(&journal, "order-1").await, 1, "whatever was unknown is settled");
    committed(&journal, appending("order-1", 1)).await;
}

#[tokio::test]
async fn what_was_built_on_an_unknown_commit_is_not_written() {
    let Some(server) = server() else { return };
    let address = server.database();
    let journal = journal(&open(&address).await).await;
    let other = beside(&address).await;
    take_turn(&other).await;
    let lost = journal.submit(Commit { ticket: 1, ..appending("order-1", 0) });
    let operator = beside(&address).await;
    let writer = until_one_waits(&operator).await;
    let built =
        journal.submit(Commit { ticket: 2, built_on: vec![1], ..noting("built", Expected::Version(0)) });
    operator.execute("SELECT pg_terminate_backend($1)", &[&writer]).await.unwrap();
    assert!(lost.await.unwrap().is_err());
    other.batch_execute("ROLLBACK").await.unwrap();
    let answer = built.await.unwrap();
    assert!(matches!(answer, Ok(Outcome::Conflict { .. })), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_restarted_in_mid_stream_loses_and_doubles_nothing() {
    let Some(server) = own_server() else { return };
    let address = server.database();
    let storage = open(&address).await;
    let journal = journal(&storage).await;
    let restarting = {
        let server = server.clone();
        tokio::task::spawn_blocking(move || {
            for _ in 0..2 {
                std::thread::sleep(Duration::from_millis(300));
                server.crash();
                server.start_again();
            }
        })
    };
    let mut version = 0;
    let mut unknown = 0;
    while !restarting.is_finished() || version < 50 {
        match journal.submit(appending("order-1", version)).await.unwrap() {
            Ok(Outcome::Committed { .. }) => version += 1,
            Ok(other) => panic!("{other:?} at {version}"),
            Err(Error::Unavailable { .. }) => {
                unknown += 1;
                // Not a failure: looked up before anything is done (reliability.md, rule 25).
                let found = loop {
                    match journal.history("order-1", 0, usize::MAX).await {
                        Ok(history) => break history.len() as u64,
                        Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                };
                assert!(found == version || found == version + 1, "{found} after {version}");
                version = found;
            }
            Err(error) => panic!("{error}"),
        }
    }
    restarting.await.unwrap();
    assert_eq!(stream_length(&journal, "order-1").await, version);
    assert!(unknown > 0, "no commit was on its way");
}

#[tokio::test]
async fn commits_do_not_wait_for_ever_for_a_database_that_is_away() {
    let Some(server) = own_server() else { return };
    let address = server.database();
    let options = Options { patience: Duration::from_millis(300), ..Options::default() };
    let journal = journal(&PostgresStorage::open(&address, options).await.unwrap()).await;
    committed(&journal, appending("order-1", 0)).await;
    server.crash();
    let begun = Instant::now();
    for _ in 0..3 {
        let answers: Vec<_> = (0..20).map(|_| journal.submit(noting("a", Expected::Any))).collect();
        for answer in answers {
            let answer = answer.await.unwrap();
            assert!(matches!(answer, Err(Error::Unavailable { .. })), "{answer:?}");
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(matches!(journal.feed(0, 1).await, Err(Error::Unavailable { .. })));
    server.start_again();
    committed(&journal, appending("order-1", 1)).await;
    assert_eq!(journal.feed(0, 10).await.unwrap().len(), 2);
}

/// A text with a zero in it is the one thing that PostgreSQL does not keep.
#[tokio::test]
async fn a_commit_that_cannot_be_written_harms_none_beside_it() {
    let Some(server) = server() else { return };
    let storage = open(&server.database()).await;
    let journal = journal(&storage).await;
    let poison = || Commit { puts: vec![note("poison", Expected::Any, "a\0b")], ..Commit::default() };
    let answers: Vec<_> = (0..60u64)
        .map(|number| {
            let good = journal.submit(appending("order-1", number));
            (good, number.is_multiple_of(20).then(|| journal.submit(poison())))
        })
        .collect();
    for (good, bad) in answers {
        assert!(is_committed(&good.await.unwrap()));
        if let Some(bad) = bad {
            let answer = bad.await.unwrap();
            assert!(matches!(answer, Err(Error::Malformed(_))), "{answer:?}");
        }
    }
    assert_eq!(stream_length(&journal, "order-1").await, 60);
    assert!(storage.stats().divided > 0, "the poison came in company");
}
