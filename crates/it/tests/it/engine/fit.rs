//! What may not be committed: events too large to keep (reliability.md, rule 7), and events that
//! the module does not declare. Whoever asked is told; a delivery that causes it is a dead letter.

use std::sync::Arc;

use backbone::aggregate::Announcements;
use backbone::collection::{Collection, ColumnValue};
use backbone::outcome::RejectionKind;
use backbone::reaction::on;
use backbone::work::{Error, Origin, Work};
use backbone::{Aggregate, Context, Document, Module, Refusal, Rejection, Workspace};
use kernel::{Event, MAX_DATA_BYTES};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::bench::Bench;
use super::place::Place;
use super::probe::{Orders, Ping, SEEN, Seen, probe_module};

/// An aggregate that keeps what it is told.
struct Diary;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum DiaryEvent {
    Written { text: String },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Page {
    id: String,
    entries: usize,
}

const PAGES: Collection = Collection { name: "pages", columns: &[], children: &[] };

impl Document for Page {
    const COLLECTION: &'static Collection = &PAGES;

    fn id(&self) -> String {
        self.id.clone()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

impl Aggregate for Diary {
    const NAME: &'static str = "diary";
    type State = usize;
    type Event = DiaryEvent;
    type Command = String;
    type View = Page;

    fn decide(_: &usize, text: String) -> Result<Vec<DiaryEvent>, Rejection> {
        Ok(vec![DiaryEvent::Written { text }])
    }

    fn evolve(entries: usize, _: &DiaryEvent) -> usize {
        entries + 1
    }

    fn event_name(_: &DiaryEvent) -> &'static str {
        "Written"
    }

    fn announce(_: &usize, _: &DiaryEvent, _: &mut Announcements) {}

    fn view(id: &str, entries: &usize) -> Option<Page> {
        Some(Page { id: id.to_owned(), entries: *entries })
    }
}

fn large() -> String {
    "x".repeat(MAX_DATA_BYTES)
}

fn module(orders: &Arc<Orders>) -> Module {
    let mut module = probe_module(orders.clone());
    module.collections.push(&PAGES);
    module
}

/// Runs a decision that also writes a document; gives why it was refused.
async fn refusal(
    context: &Context,
    key: Uuid,
    act: impl Fn(&mut Workspace<'_>) -> Result<(), Refusal> + Send + Sync + 'static,
) -> Error {
    let work = Work::new("too-much", Origin::default(), move |ws| {
        ws.overwrite(Seen { key, ..Seen::default() });
        act(ws).map(|()| Value::Null)
    });
    let refused = context.commands.execute(work).await.expect_err("the work is refused");
    assert!(context.get::<Seen>(key).await.unwrap().is_none(), "nothing of the work is stored");
    refused
}

fn assert_too_large(refused: &Error, what: &str) {
    let Error::Rejected(rejection) = refused else { panic!("not the asker's mistake: {refused:?}") };
    assert_eq!((rejection.kind, rejection.code), (RejectionKind::Invalid, "event-too-large"));
    assert!(rejection.message.contains(what), "{}", rejection.message);
}

pub(super) async fn a_command_that_makes_an_oversize_event_is_refused_and_nothing_is_stored(place: Place) {
    let orders = Arc::new(Orders::default());
    let bench = Bench::start(&place, Arc::default(), |_| module(&orders)).await;
    let key = Uuid::now_v7();
    let refused = refusal(&bench.context, key, move |ws| {
        ws.publish(Ping { key, n: 1, secret: large().into() });
        Ok(())
    });
    assert_too_large(&refused.await, "probe.ping.v1");

    bench.ping(&[(key, 2)]).await;
    bench.until_seen(key, &[2]).await;
    assert_eq!(orders.delivered(key, 1), 0);
    bench.stop().await;
}

pub(super) async fn a_command_that_makes_an_oversize_private_event_is_refused_and_nothing_is_stored(
    place: Place,
) {
    let orders = Arc::new(Orders::default());
    let bench = Bench::start(&place, Arc::default(), |_| module(&orders)).await;
    let key = Uuid::now_v7();
    let refused = refusal(&bench.context, key, |ws| ws.execute::<Diary>("mine", large()).map(drop));
    assert_too_large(&refused.await, "Written");
    assert!(bench.context.history::<Diary>("mine", 0, 10).await.unwrap().is_empty());

    let work = Work::new("short", Origin::default(), |ws| {
        ws.execute::<Diary>("mine", "short".to_owned()).map(|_| Value::Null)
    });
    bench.context.commands.execute(work).await.unwrap();
    assert_eq!(bench.context.get::<Page>("mine").await.unwrap().unwrap().document.entries, 1);
    bench.stop().await;
}

pub(super) async fn a_delivery_that_makes_an_oversize_event_dies_at_once_and_the_others_flow(place: Place) {
    let answer = on::<Ping>(|ping, ws| {
        let key = ping.key;
        if ping.n == 13 {
            return ws.execute::<Diary>(key, large()).map(drop);
        }
        ws.get::<Seen>(key)?;
        ws.put(Seen { key, order: vec![ping.n], last_secret: None })
    });
    let module = Module {
        publishes: vec![&Ping::TYPE],
        reactions: vec![answer],
        collections: vec![&SEEN, &PAGES],
        ..Module::new("probe")
    };
    let bench = Bench::start(&place, Arc::default(), |_| module).await;
    let (unlucky, other) = (Uuid::now_v7(), Uuid::now_v7());
    bench.ping(&[(unlucky, 13), (other, 1)]).await;
    bench.until_seen(other, &[1]).await;
    let dead = bench.until_dead(1).await;
    assert_eq!(dead[0].1.event.subject, unlucky.to_string());
    assert_eq!(dead[0].1.attempts, 1);
    assert!(dead[0].1.error.contains("event-too-large"), "{}", dead[0].1.error);
    bench.stop().await;
}

#[tokio::test]
async fn a_module_publishes_only_what_it_declares() {
    let directory = tempfile::tempdir().unwrap();
    let silent = Module { collections: vec![&SEEN], ..Module::new("probe") };
    let bench = Bench::start(directory.path(), Arc::default(), |_| silent).await;
    let key = Uuid::now_v7();
    let refused = refusal(&bench.context, key, move |ws| {
        ws.publish(Ping { key, n: 1, secret: "s".to_owned().into() });
        Ok(())
    });
    let said = refused.await.to_string();
    assert!(["probe", "probe.ping.v1", "publishes"].iter().all(|part| said.contains(part)), "{said}");
    bench.stop().await;
}
