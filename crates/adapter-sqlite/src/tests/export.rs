//! A store that is handed on: everything, as it is kept, while nobody else can change it.

use std::path::Path;

use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use backbone::commit::{Answer, Commit, Expected, Put};
use backbone::journal::Schema;
use backbone::moving::{Ends, Page};
use kernel::{Money, Timestamp};
use uuid::Uuid;

use super::sample::{NOTES, append, checkpoint, committed, event, noting, open, public};
use crate::{Export, OpenError, Options, Store};

static KINDS: Collection = Collection {
    name: "kinds",
    columns: &[
        Column::indexed("text", ColumnKind::Text),
        Column::plain("number", ColumnKind::Integer),
        Column::plain("truth", ColumnKind::Bool),
        Column::indexed("at", ColumnKind::Timestamp),
        Column::indexed("who", ColumnKind::Uuid),
        Column::plain("price", ColumnKind::Money),
    ],
    children: &[],
};

fn schema(collections: &[&'static Collection]) -> Schema {
    Schema { service: "order", collections: collections.to_vec() }
}

fn kind(id: &str, columns: Vec<ColumnValue>) -> Put {
    Put {
        collection: &KINDS,
        shadow: false,
        id: id.to_owned(),
        expected: Expected::Any,
        person: Some(Uuid::from_u128(9)),
        body: "{}".into(),
        columns,
    }
}

fn columns() -> Vec<ColumnValue> {
    vec![
        "ñ".into(),
        (-7_i64).into(),
        true.into(),
        Timestamp::from_micros(3).into(),
        Uuid::from_u128(4).into(),
        Money::eur(-1).into(),
    ]
}

fn answer() -> Answer {
    let (key, body) = ("POST|x".to_owned(), "{}".into());
    Answer { key, fingerprint: u64::MAX, body, at: Timestamp::from_micros(5) }
}

/// A store with something in each table.
async fn lived_in(directory: &Path, outgoing: Vec<kernel::Envelope>) {
    let store = open(directory);
    let journal = store.storage().open(schema(&[&NOTES, &KINDS])).await.unwrap();
    let nulls = vec![ColumnValue::Null; 6];
    let commit = Commit {
        answer: Some(answer()),
        appends: vec![append("order-b", 0, 2), append("order-a", 0, 1)],
        puts: vec![kind("a", columns()), kind("b", nulls)],
        outgoing,
        source: checkpoint("order-payment", 0, 1),
        ..Commit::default()
    };
    committed(&journal, commit).await;
    committed(&journal, noting("note", Expected::Any)).await;
    drop(journal);
    store.close().unwrap();
}

#[tokio::test]
async fn everything_is_handed_on_as_it_is_kept_and_the_directory_is_held_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    lived_in(directory.path(), vec![public("order", 1), public("order", 2)]).await;
    let export = Export::open(directory.path()).unwrap();
    let refused = Store::open(directory.path(), Options::default()).unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    assert!(export.was_clean_shutdown());
    let all = schema(&[&NOTES, &KINDS]);
    export.check(std::slice::from_ref(&all)).unwrap();

    let mut pages = Vec::new();
    let mut each = |page: Page| {
        pages.push(page);
        true
    };
    export.read(&all, &mut each).unwrap();
    let rows: u64 = pages.iter().map(|page| page.rows() as u64).sum();
    assert_eq!(rows, export.counts(&all).unwrap().values().sum::<u64>());
    for page in pages {
        match page {
            Page::Events(events) => {
                let found: Vec<_> = events.iter().map(|e| (e.position, e.stream.as_str())).collect();
                assert_eq!(found, [(1, "order-b"), (2, "order-b"), (3, "order-a")]);
                assert_eq!(events[1].event, event(2));
            }
            Page::Documents(of, documents) if of.name == "kinds" => {
                assert_eq!(documents[0].columns, columns());
                assert_eq!(documents[1].columns, vec![ColumnValue::Null; 6]);
                assert_eq!(documents[0].document.person, Some(Uuid::from_u128(9)));
            }
            Page::Documents(_, documents) => {
                assert_eq!((documents.len(), documents[0].document.version), (1, 1));
            }
            Page::Answers(answers) => assert_eq!(answers, [answer()]),
            Page::Published(sent) => {
                assert_eq!((sent[1].position, &sent[1].envelope), (2, &public("order", 2)));
            }
            Page::Checkpoints(stands) => assert_eq!(stands, [("order-payment".to_owned(), 1)]),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(export.ends(&all).unwrap(), Ends { events: 3, log: 2 });
    assert_eq!(export.checkpoint(&all, "order-payment").unwrap(), 1);
    assert_eq!(export.heads(&all, "", 1).unwrap(), [("order-a".to_owned(), 1)]);
    assert_eq!(export.heads(&all, "order-a", 9).unwrap(), [("order-b".to_owned(), 2)]);
    let mut passed = Vec::new();
    let told = export.passed("order", (1, 2), |event| {
        passed.push(event.position);
        true
    });
    told.unwrap();
    assert_eq!(passed, [2]);
}

#[tokio::test]
async fn what_this_program_does_not_know_is_not_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    lived_in(directory.path(), vec![public("order", 1)]).await;
    let export = Export::open(directory.path()).unwrap();
    let other = Schema { service: "payment", collections: Vec::new() };
    for (schemas, named) in [
        (vec![other.clone()], "the tables of a service `order`"),
        (vec![schema(&[&KINDS])], "order's collection `notes`"),
    ] {
        let error = export.check(&schemas).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    export.check(&[other, schema(&[&NOTES, &KINDS])]).unwrap();

    let directory = tempfile::tempdir().unwrap();
    lived_in(directory.path(), vec![public("stranger", 1)]).await;
    let error = Export::open(directory.path()).unwrap().check(&[schema(&[&NOTES, &KINDS])]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("public events of a service `stranger`"), "{error}");
}

#[test]
fn a_directory_without_a_market_is_not_made_one() {
    let directory = tempfile::tempdir().unwrap();
    let error = Export::open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::Missing(_)), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
