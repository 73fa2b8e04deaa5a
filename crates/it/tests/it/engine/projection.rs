//! Projections follow, are rebuilt in the shadow while they serve, compared, swapped in and rolled back.
//! Behind a broker, which gives no past events, one of a context follows the producer's journal.

use std::sync::Arc;

use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use backbone::commit::{Commit, Expected, Outcome, Put};
use backbone::projection::Projection;
use backbone::system::{Compared, Ending, Found, SwapWhen};
use backbone::{Document, Module};
use engine::By;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::bench::{Bench, until};
use super::place::Place;
use super::probe::{Orders, Ping, probe_module};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tally {
    key: Uuid,
    total: i64,
}

const TALLIES: Collection =
    Collection { name: "tallies", columns: &[Column::indexed("total", ColumnKind::Integer)], children: &[] };

impl Document for Tally {
    const COLLECTION: &'static Collection = &TALLIES;

    fn id(&self) -> String {
        self.key.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.total.into()]
    }
}

fn tally() -> Projection {
    Projection::on::<Ping>("tally", &[&TALLIES], |ping, view| {
        let key = ping.key;
        view.update(key, || Tally { key, total: 0 }, |tally| tally.total += ping.n as i64)
    })
}

fn module(orders: &Arc<Orders>) -> Module {
    let mut module = probe_module(orders.clone());
    module.collections.push(&TALLIES);
    module.projections.push(tally());
    module
}

const A: Uuid = Uuid::from_u128(1);
const B: Uuid = Uuid::from_u128(2);
const GHOST: Uuid = Uuid::from_u128(3);

/// A process, and what an operator does with its one projection.
struct Desk(Bench);

impl Desk {
    async fn start(place: &Place, orders: &Arc<Orders>) -> Self {
        Self(Bench::start(place, Arc::default(), |_| module(orders)).await)
    }

    /// Pings of both keys, one after the other.
    async fn pings(&self, count: u64) {
        for _ in 0..count {
            self.0.ping(&[(A, 2), (B, 1)]).await;
        }
    }

    async fn total(&self, key: Uuid) -> Option<i64> {
        self.0.context.get::<Tally>(key).await.unwrap().map(|found| found.document.total)
    }

    async fn until(&self, wanted: [Option<i64>; 3]) {
        let totals = async || [self.total(A).await, self.total(B).await, self.total(GHOST).await];
        assert_eq!(until(totals, |found| *found == wanted).await, wanted);
    }

    async fn rebuild(&self, when: SwapWhen) -> Ending {
        let projections = self.0.running.projections();
        projections.rebuild("probe", "tally", (when, &By::new("ana"))).await.unwrap();
        self.ended().await
    }

    async fn roll_back(&self) -> Ending {
        self.0.running.projections().roll_back("probe", "tally", &By::new("ana")).await.unwrap();
        self.ended().await
    }

    async fn no_way_back(&self) {
        let refused = self.0.running.projections().roll_back("probe", "tally", &By::new("ana")).await;
        assert!(refused.unwrap_err().to_string().contains("no rebuild to roll back"));
    }

    /// How what was asked for ended.
    async fn ended(&self) -> Ending {
        let record = async || self.0.running.projections().list().await.unwrap().remove(0).rebuilding;
        let record = until(record, |record| record.asked.is_none()).await;
        assert_eq!(record.asked, None, "it never ended");
        record.last.unwrap().1
    }

    /// Makes the read model wrong behind everybody's back: A by a thousand, and a ghost.
    async fn spoil(&self) {
        let total = self.total(A).await.unwrap() + 1_000;
        let put = |tally: Tally| Put {
            collection: &TALLIES,
            shadow: false,
            id: tally.id(),
            expected: Expected::Any,
            person: None,
            body: serde_json::to_vec(&tally).unwrap().into(),
            columns: tally.columns(),
        };
        let puts = vec![put(Tally { key: A, total }), put(Tally { key: GHOST, total: 7 })];
        let written = self.0.journal().submit(Commit { puts, ..Commit::default() }).await.unwrap();
        assert!(matches!(written, Ok(Outcome::Committed { .. })), "{written:?}");
    }
}

/// What a comparison with the spoilt read model finds.
fn spoilt() -> Compared {
    let one = |key: Uuid| Found { count: 1, first: vec![key.to_string()] };
    Compared {
        collection: "tallies".to_owned(),
        live: 3,
        rebuilt: 2,
        only_live: one(GHOST),
        only_rebuilt: Found::default(),
        differing: one(A),
    }
}

pub(super) async fn a_rebuild_while_it_serves_runs_no_reaction_and_serves_where_it_is_the_same(place: Place) {
    let orders = Arc::new(Orders::default());
    let desk = Desk::start(&place, &orders).await;
    desk.pings(20).await;
    desk.until([Some(40), Some(20), None]).await;
    let (ended, ()) = futures::join!(desk.rebuild(SwapWhen::Equal), desk.pings(20));
    let Ending::Swapped { facts, compared } = ended else { panic!("{ended:?}") };
    assert!(facts >= 40 && compared[0].is_equal() && compared[0].live == 2, "{facts} {compared:?}");
    desk.until([Some(80), Some(40), None]).await;
    // Its handler may be asked more often, where a broker delivers again: its effects are what counts.
    desk.0.until_seen(B, &[1; 40]).await;
    desk.0.stop().await;
}

pub(super) async fn a_rebuild_that_differs_serves_only_where_that_is_accepted(place: Place) {
    let desk = Desk::start(&place, &Arc::default()).await;
    desk.pings(20).await;
    desk.until([Some(40), Some(20), None]).await;
    desk.spoil().await;
    for when in [SwapWhen::Never, SwapWhen::Equal] {
        let (ended, ()) = futures::join!(desk.rebuild(when), desk.pings(10));
        let Ending::Kept { compared, .. } = ended else { panic!("{when:?}: {ended:?}") };
        assert_eq!(compared, [spoilt()], "{when:?}");
    }
    desk.until([Some(1_080), Some(40), Some(7)]).await;
    desk.no_way_back().await;
    let (ended, ()) = futures::join!(desk.rebuild(SwapWhen::Always), desk.pings(10));
    assert!(matches!(&ended, Ending::Swapped { compared, .. } if *compared == [spoilt()]), "{ended:?}");
    desk.until([Some(100), Some(50), None]).await;
    let acts = desk.0.running.dead_letters().acts("probe", None, 100).await.unwrap();
    assert_eq!(acts.iter().filter(|act| act.who == "ana" && act.what == "rebuild").count(), 3, "{acts:?}");
    desk.0.stop().await;
}

pub(super) async fn a_rebuild_is_rolled_back_without_missing_what_came_since(place: Place) {
    let desk = Desk::start(&place, &Arc::default()).await;
    desk.no_way_back().await;
    desk.pings(10).await;
    desk.until([Some(20), Some(10), None]).await;
    desk.spoil().await;
    let swapped = desk.rebuild(SwapWhen::Always).await;
    assert!(matches!(swapped, Ending::Swapped { .. }), "{swapped:?}");
    desk.pings(10).await;
    desk.until([Some(40), Some(20), None]).await;
    let (ended, ()) = futures::join!(desk.roll_back(), desk.pings(10));
    assert_eq!(ended, Ending::RolledBack);
    desk.until([Some(1_060), Some(30), Some(7)]).await;
    desk.0.stop().await;

    // What is kept aside is kept up over a restart as well.
    let desk = Desk::start(&place, &Arc::default()).await;
    desk.pings(5).await;
    desk.until([Some(1_070), Some(35), Some(7)]).await;
    assert_eq!(desk.roll_back().await, Ending::RolledBack, "and forth");
    desk.until([Some(70), Some(35), None]).await;
    desk.pings(5).await;
    desk.until([Some(80), Some(40), None]).await;
    desk.0.stop().await;
}

pub(super) async fn a_rebuild_that_was_asked_for_is_done_after_a_restart(place: Place) {
    let desk = Desk::start(&place, &Arc::default()).await;
    desk.pings(5).await;
    desk.until([Some(10), Some(5), None]).await;
    let ask = async |who: &str| {
        let (projections, by) = (desk.0.running.projections(), By::new(who));
        projections.rebuild("probe", "tally", (SwapWhen::Equal, &by)).await
    };
    ask("ana").await.unwrap();
    // Where it is not done yet.
    if let Err(refused) = ask("ben").await {
        assert!(refused.to_string().contains("being rebuilt already"), "{refused}");
    }
    desk.0.stop().await;
    let desk = Desk::start(&place, &Arc::default()).await;
    let ended = desk.ended().await;
    assert!(matches!(ended, Ending::Swapped { facts: 10, .. }), "{ended:?}");
    desk.0.stop().await;
}
