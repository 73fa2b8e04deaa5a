//! What stands after a stop, and what is answered twice.

use std::sync::Arc;

use backbone::Document;
use backbone::commit::{Commit, Expected, Outcome, Put};
use backbone::work::{Error, Idempotency, Origin, Work};
use serde_json::json;
use uuid::Uuid;

use super::bench::Bench;
use super::place::Place;
use super::probe::{Orders, Ping, SEEN, Seen};

fn asked(key: Uuid, idempotency: Option<Idempotency>) -> Work {
    Work::new("place", Origin::default(), move |ws| {
        ws.publish(Ping { key, n: 1, secret: "s".to_owned().into() });
        Ok(json!({"made": ws.uuid()}))
    })
    .idempotent(idempotency)
}

pub(super) async fn a_repeated_request_gets_the_first_answer_and_another_body_is_refused(place: Place) {
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(&place, &orders).await;
    let key = Uuid::now_v7();
    let named = |fingerprint| Some(Idempotency { key: "POST /x|me|1".to_owned(), fingerprint });
    let first = bench.context.commands.execute(asked(key, named(1))).await.unwrap();
    let again = bench.context.commands.execute(asked(key, named(1))).await.unwrap();
    assert_eq!(first.answer, again.answer);
    assert!(again.repeated && !first.repeated);
    let other = bench.context.commands.execute(asked(key, named(2))).await;
    assert!(matches!(other, Err(Error::KeyReused)), "{other:?}");
    bench.until_seen(key, &[1]).await;

    // And after a restart.
    bench.stop().await;
    let bench = Bench::probe(&place, &orders).await;
    let again = bench.context.commands.execute(asked(key, named(1))).await.unwrap();
    assert_eq!(first.answer, again.answer);
    bench.until_seen(key, &[1]).await;
    bench.stop().await;
}

#[tokio::test]
async fn two_hundred_at_once_on_one_document_lose_nothing_and_share_syncs() {
    let directory = tempfile::tempdir().unwrap();
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(directory.path(), &orders).await;
    let key = Uuid::now_v7();
    let before = bench.store().stats();
    let all = (0..200u64).map(|n| {
        let commands = bench.context.commands.clone();
        async move {
            let work = Work::new("count", Origin::default(), move |ws| {
                let seen = ws.get::<super::probe::Seen>(key)?;
                let mut seen = seen.map(|seen| seen.as_ref().clone()).unwrap_or_default();
                seen.key = key;
                seen.order.push(n);
                ws.put(seen)?;
                Ok(json!(null))
            });
            commands.execute(work).await.unwrap();
        }
    });
    futures::future::join_all(all).await;
    assert_eq!(bench.seen(key).await.len(), 200);
    let after = bench.store().stats();
    assert!(
        after.syncs - before.syncs < 40,
        "{} syncs for 200 commits of one document",
        after.syncs - before.syncs
    );
    bench.stop().await;
}

/// Writes a key's document behind the engine's back.
async fn change_behind(bench: &Bench, seen: Seen, from: u64) {
    let put = Put {
        collection: &SEEN,
        shadow: false,
        id: seen.id(),
        expected: Expected::Version(from),
        person: None,
        body: serde_json::to_vec(&seen).unwrap().into(),
        columns: seen.columns(),
    };
    let journal = bench.running.host("probe").unwrap().journal();
    let written = journal.submit(Commit { puts: vec![put], ..Commit::default() }).await.unwrap();
    assert!(matches!(written, Ok(Outcome::Committed { .. })), "{written:?}");
}

pub(super) async fn what_was_decided_on_something_that_has_changed_is_decided_again(place: Place) {
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(&place, &orders).await;
    let (read, written) = (Uuid::now_v7(), Uuid::now_v7());
    bench.ping(&[(read, 1)]).await;
    bench.until_seen(read, &[1]).await;
    change_behind(&bench, Seen { key: read, order: vec![1, 2], last_secret: None }, 1).await;
    let copy = Work::new("copy", Origin::default(), move |ws| {
        let order = ws.get::<Seen>(read)?.map_or_else(Vec::new, |seen| seen.order.clone());
        ws.put(Seen { key: written, order, last_secret: None })?;
        Ok(json!(null))
    });
    bench.context.commands.execute(copy).await.unwrap();
    assert_eq!(bench.seen(written).await, [1, 2], "not what it remembered of the other");
    bench.stop().await;
}
