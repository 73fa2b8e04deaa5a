//! Event-sourced state on the engine: a snapshot of another shape is replayed, and a projection of
//! a service's own events misses nothing that nobody told it of.

use std::sync::Arc;
use std::time::Duration;

use backbone::collection::{Collection, ColumnValue};
use backbone::commit::{Append, Commit, Outcome, Snapshot, StoredEvent};
use backbone::projection::Projection;
use backbone::work::{Origin, Work};
use backbone::{Aggregate, Announcements, Document, Module, Rejection};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::{Bench, until};
use super::place::Place;

/// A meter that is read now and then.
enum Meter {}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Total {
    sum: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Reading {
    amount: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Shown {
    id: String,
    sum: u64,
}

const SHOWN: Collection = Collection { name: "shown", columns: &[], children: &[] };
const SUMS: Collection = Collection { name: "sums", columns: &[], children: &[] };

impl Document for Shown {
    const COLLECTION: &'static Collection = &SHOWN;

    fn id(&self) -> String {
        self.id.clone()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

/// What the projection makes of the readings.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sum {
    id: String,
    sum: u64,
}

impl Document for Sum {
    const COLLECTION: &'static Collection = &SUMS;

    fn id(&self) -> String {
        self.id.clone()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

impl Aggregate for Meter {
    const NAME: &'static str = "meter";

    type State = Total;
    type Event = Reading;
    type Command = u64;
    type View = Shown;

    fn decide(_: &Total, amount: u64) -> Result<Vec<Reading>, Rejection> {
        Ok(vec![Reading { amount }])
    }

    fn evolve(state: Total, event: &Reading) -> Total {
        Total { sum: state.sum + event.amount }
    }

    fn event_name(_: &Reading) -> &'static str {
        "read"
    }

    fn announce(_: &Total, _: &Reading, _: &mut Announcements) {}

    fn view(id: &str, state: &Total) -> Option<Shown> {
        Some(Shown { id: id.to_owned(), sum: state.sum })
    }
}

fn module() -> Module {
    let sums = Projection::of::<Meter>("sums", &[&SUMS], |id, reading, _, view| {
        let begin = || Sum { id: id.to_owned(), sum: 0 };
        view.update(id.to_owned(), begin, |sum| sum.sum += reading.amount)
    });
    Module { projections: vec![sums], collections: vec![&SHOWN, &SUMS], ..Module::new("probe") }
}

/// Readings as another process would have written them, with a snapshot of a program before this.
async fn write(bench: &Bench, id: Uuid, amounts: &[u64], snapshot: Option<Snapshot>) {
    let event = |(version, amount): (u64, &u64)| StoredEvent {
        version,
        name: "read".to_owned(),
        schema: 1,
        at: Timestamp::default(),
        correlation_id: String::new(),
        causation_id: String::new(),
        person: None,
        data: json!({ "amount": amount }).to_string().into(),
    };
    let events = (1..).zip(amounts).map(event).collect();
    let append = Append { stream: format!("meter-{id}"), expected: 0, events, snapshot };
    let commit = Commit { appends: vec![append], ..Commit::default() };
    let journal = bench.running.host("probe").unwrap().journal();
    let written = journal.submit(commit).await.unwrap();
    assert!(matches!(written, Ok(Outcome::Committed { .. })), "{written:?}");
}

pub(super) async fn a_snapshot_of_another_shape_is_replayed_from_all_events(place: Place) {
    let bench = Bench::start(&place, Arc::default(), |_| module()).await;
    let id = Uuid::now_v7();
    let data = json!({ "sum": 1_000 }).to_string().into();
    let snapshot = Snapshot { version: 3, schema: 7, person: None, data };
    write(&bench, id, &[1, 2, 3], Some(snapshot)).await;
    let work = Work::new("read", Origin::default(), move |ws| {
        ws.execute::<Meter>(id, 4)?;
        let (sum, version) = (ws.state::<Meter>(id)?.sum, ws.version::<Meter>(id)?);
        Ok(json!([sum, version]))
    });
    let done = bench.context.commands.execute(work).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&done.answer).unwrap(), json!([10, 4]));
    bench.stop().await;
}

pub(super) async fn a_projection_finds_what_nobody_told_it_of(place: Place) {
    let bench = Bench::start(&place, Arc::default(), |_| module()).await;
    // It has looked and found nothing.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let id = Uuid::now_v7();
    write(&bench, id, &[5, 6], None).await;
    let sum = async || bench.context.get::<Sum>(id).await.unwrap().map_or(0, |found| found.document.sum);
    assert_eq!(until(sum, |sum| *sum == 11).await, 11, "the projection waits to be woken");
    bench.stop().await;
}
