//! The tail in memory and the file behind it are one log to a consumer.

use std::time::Duration;

use backbone::bus::{Consumer, Subscription};
use backbone::commit::Commit;

use super::sample::{journal, open, public};
use crate::Store;

async fn consumer(store: &Store, context: &'static str, after: u64) -> Box<dyn Consumer> {
    let subscription = Subscription {
        consumer: format!("test-{context}"),
        service: "test",
        context,
        partition: 0,
        after: Some(after),
    };
    store.bus().open(subscription).await.unwrap()
}

async fn read(consumer: &mut dyn Consumer, limit: usize) -> Vec<u64> {
    let found = tokio::time::timeout(Duration::from_secs(10), consumer.fetch(limit)).await;
    let found = found.expect("what is there arrives").unwrap();
    found.iter().map(|delivery| delivery.envelope.sequence).collect()
}

/// Two contexts are written in turns by four tasks; readers of different speed follow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reader_however_slow_misses_or_repeats_an_event() {
    const EACH: u64 = 6_000;
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let journal = journal(&store).await;
    let mut readers = Vec::new();
    for (context, limit, pause_every) in
        [("order", 1, 0), ("order", 50, 7), ("order", 400, 1), ("payment", 64, 0)]
    {
        let mut consumer = consumer(&store, context, 0).await;
        readers.push(tokio::spawn(async move {
            let (mut seen, mut fetches) = (Vec::new(), 0u64);
            while (seen.len() as u64) < 2 * EACH {
                seen.extend(read(&mut *consumer, limit).await);
                fetches += 1;
                if pause_every > 0 && fetches.is_multiple_of(pause_every) {
                    // Longer than the tail is.
                    tokio::time::sleep(Duration::from_millis(if fetches < 20 { 40 } else { 1 })).await;
                }
            }
            seen
        }));
    }
    let writers: Vec<_> = (0..4u64)
        .map(|writer| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let context = if writer % 2 == 0 { "order" } else { "payment" };
                for number in 0..EACH / 4 {
                    let first = (writer / 2 * EACH / 4 + number) * 4;
                    let outgoing = (first..first + 4).map(|n| public(context, n)).collect();
                    let answer = journal.submit(Commit { outgoing, ..Commit::default() });
                    if number % 16 == 0 {
                        answer.await.unwrap().unwrap();
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for reader in readers {
        let seen = tokio::time::timeout(Duration::from_secs(60), reader).await.unwrap().unwrap();
        for writer in 0..2u64 {
            let own: Vec<u64> = seen.iter().copied().filter(|n| n / EACH == writer).collect();
            let expected: Vec<u64> = (writer * EACH..(writer + 1) * EACH).collect();
            assert_eq!(own, expected, "in order, nothing missing, nothing twice");
        }
    }
}

#[tokio::test]
async fn a_consumer_that_begins_far_behind_reads_the_file_and_then_the_tail() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let journal = journal(&store).await;
    for batch in 0..100u64 {
        let outgoing = (batch * 100..batch * 100 + 100).map(|n| public("order", n)).collect();
        super::sample::committed(&journal, Commit { outgoing, ..Commit::default() }).await;
    }
    let tail = store.inner().shared.tails.of("order");
    assert!(tail.after(0, 1).is_none(), "the tail does not reach back to the beginning");
    assert!(tail.after(9_999, 1).is_some_and(|found| found.len() == 1));
    let mut consumer = consumer(&store, "order", 0).await;
    let mut seen = Vec::new();
    while seen.len() < 10_000 {
        seen.extend(read(&mut *consumer, 333).await);
    }
    assert!(seen.iter().copied().eq(0..10_000));
}

/// After a restart the tail is empty, and what came before it stands in the file only.
#[tokio::test]
async fn after_a_restart_the_log_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.bus().publish((1..=3).map(|n| public("order", n)).collect()).await.unwrap();
    store.close().unwrap();
    let store = open(directory.path());
    let mut late = consumer(&store, "order", 1).await;
    let mut at_end = consumer(&store, "order", 3).await;
    // Of another context there is nothing up to here; it looks, waits, and misses nothing.
    let mut other = consumer(&store, "payment", 0).await;
    assert!(tokio::time::timeout(Duration::from_millis(20), other.fetch(1)).await.is_err());
    store.bus().publish(vec![public("payment", 9)]).await.unwrap();
    assert_eq!(read(&mut *other, 10).await, [9]);
    store.bus().publish(vec![public("order", 4)]).await.unwrap();
    assert_eq!(read(&mut *at_end, 10).await, [4]);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.extend(read(&mut *late, 10).await);
    }
    assert_eq!(seen, [2, 3, 4]);
}

#[tokio::test]
async fn what_was_acknowledged_out_of_order_is_not_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.bus().publish((1..=6).map(|n| public("order", n)).collect()).await.unwrap();
    let mut consumer = consumer(&store, "order", 0).await;
    assert_eq!(read(&mut *consumer, 5).await, [1, 2, 3, 4, 5]);
    consumer.acknowledge(&[4, 1]).await.unwrap();
    consumer.give_back().await.unwrap();
    assert_eq!(read(&mut *consumer, 10).await, [2, 3, 5, 6]);
    consumer.acknowledge(&[2, 3, 5, 6]).await.unwrap();
    consumer.give_back().await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(20), consumer.fetch(1)).await;
    assert!(nothing.is_err());
}

/// The writer of another process gives no hints: the file is the truth.
#[tokio::test]
async fn a_store_that_is_only_read_follows_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let reading = Store::open_read_only(directory.path()).unwrap();
    let mut consumer = consumer(&reading, "order", 0).await;
    store.bus().publish(vec![public("order", 1)]).await.unwrap();
    assert_eq!(read(&mut *consumer, 10).await, [1]);
    store.bus().publish(vec![public("order", 2)]).await.unwrap();
    assert_eq!(read(&mut *consumer, 10).await, [2]);
    assert!(reading.bus().publish(vec![public("order", 3)]).await.is_err());
}

/// Nobody wakes a reader of another process: it looks again by itself.
#[tokio::test]
async fn what_another_process_writes_while_a_reader_waits_is_found_without_a_wake_up() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let reading = Store::open_read_only(directory.path()).unwrap();
    let mut consumer = consumer(&reading, "order", 0).await;
    let late = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        store.bus().publish(vec![public("order", 1)]).await.unwrap();
    };
    let (found, ()) = tokio::join!(read(&mut *consumer, 10), late);
    assert_eq!(found, [1]);
}
