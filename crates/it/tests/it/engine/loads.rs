//! States that are loaded together: one that this program cannot read stops whoever asked for it.

use std::sync::Arc;

use backbone::commit::{Commit, Expected, Outcome, Put};
use backbone::work::{Done, Error, Origin, Work};
use serde_json::json;
use uuid::Uuid;

use super::bench::Bench;
use super::place::Place;
use super::probe::{SEEN, Seen};

/// A key's document as a newer program leaves it.
async fn leave_unreadable(bench: &Bench, key: Uuid) {
    let put = Put {
        collection: &SEEN,
        shadow: false,
        id: key.to_string(),
        expected: Expected::Any,
        person: None,
        body: json!({"key": 7, "layout": 2}).to_string().into(),
        columns: vec![0_i64.into()],
    };
    let written = bench.journal().submit(Commit { puts: vec![put], ..Commit::default() }).await.unwrap();
    assert!(matches!(written, Ok(Outcome::Committed { .. })), "{written:?}");
}

async fn count(bench: &Bench, keys: Vec<Uuid>) -> Result<Done, Error> {
    let work = Work::new("count", Origin::default(), move |ws| {
        let mut count = 0;
        for key in &keys {
            count += ws.get::<Seen>(key)?.map_or(0, |seen| seen.order.len());
        }
        Ok(json!(count))
    });
    bench.context.commands.execute(work).await
}

pub(super) async fn a_state_that_cannot_be_read_stops_those_alone_that_asked_for_it(place: Place) {
    let bench = Bench::probe(&place, &Arc::default()).await;
    let (bad, good, new) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    bench.ping(&[(good, 1), (good, 2)]).await;
    bench.until_seen(good, &[1, 2]).await;
    leave_unreadable(&bench, bad).await;
    bench.stop().await;

    // Nothing is at hand: what is asked for at once is loaded at once.
    let bench = Bench::probe(&place, &Arc::default()).await;
    for round in ["not at hand", "once more"] {
        let (of_good, of_bad, of_both, of_new) = futures::join!(
            count(&bench, vec![good]),
            count(&bench, vec![bad]),
            count(&bench, vec![good, bad]),
            count(&bench, vec![new]),
        );
        assert_eq!((of_good.unwrap().answer, of_new.unwrap().answer), ("2".into(), "0".into()), "{round}");
        for refused in [of_bad, of_both] {
            let Err(Error::Failed(reason)) = refused else { panic!("{round}: {refused:?}") };
            assert!(reason.contains(&format!("seen/{bad}")), "{round}: {reason}");
        }
    }
    bench.stop().await;
}
