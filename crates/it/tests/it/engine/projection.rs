//! Projections follow, are rebuilt in the shadow, and equal what they were.

use std::sync::Arc;
use std::time::Duration;

use backbone::bus::Bus;
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use backbone::projection::Projection;
use backbone::{Context, Document, Module};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::probe::{Bench, Orders, Ping, probe_module};

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

async fn until_total(context: &Context, key: Uuid, wanted: i64) {
    for _ in 0..500 {
        let found = context.get::<Tally>(key).await.unwrap();
        if found.is_some_and(|found| found.document.total == wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the tally of {key} never was {wanted}");
}

#[tokio::test]
async fn a_projection_follows_and_a_rebuild_while_it_serves_gives_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let orders = Arc::new(Orders::default());
    let bench = Bench::start(directory.path(), Arc::default(), |_| module(&orders)).await;
    let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
    for n in 1..=40 {
        bench.ping(&[(a, n), (b, 1)]).await;
    }
    until_total(&bench.context, a, 820).await;
    until_total(&bench.context, b, 40).await;

    let bus: Arc<dyn Bus> = bench.bus.clone();
    let folded = engine::rebuild(bench.running.host("probe").unwrap(), &*bus, &tally()).await.unwrap();
    assert_eq!(folded, 80);
    until_total(&bench.context, a, 820).await;
    bench.ping(&[(a, 1)]).await;
    until_total(&bench.context, a, 821).await;
    assert_eq!(
        orders.delivered(a, 1),
        2,
        "a rebuild runs no reaction: one delivery for each of the two pings"
    );
    bench.stop().await;
}
