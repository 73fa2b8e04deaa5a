//! Tables, columns, views; and what happens when a declaration changes.

use backbone::collection::{Collection, Column, ColumnKind, Query};
use backbone::commit::{Expected, Put};
use backbone::journal::{Error, Schema, ShadowStep};
use rusqlite::Connection;

use super::sample::{NOTES, committed, journal, note, noting, open, read_note};
use crate::Store;

async fn open_with(store: &Store, collection: &'static Collection) -> Option<Error> {
    store.storage().open(Schema { service: "order", collections: vec![collection] }).await.err()
}

fn indexes(store: &Store) -> Vec<String> {
    let conn = Connection::open(&store.inner().file).unwrap();
    let mut statement = conn
        .prepare("SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'order_c_notes' AND sql NOTNULL")
        .unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// What is rebuilt here.
const ALONE: &[&Collection] = &[&NOTES];

static PRICED: Collection = Collection {
    name: "notes",
    columns: &[Column::indexed("title", ColumnKind::Text), Column::indexed("price", ColumnKind::Money)],
    children: &["lines", "tags"],
};
static RETYPED: Collection =
    Collection { name: "notes", columns: &[Column::indexed("title", ColumnKind::Integer)], children: &[] };

#[tokio::test]
async fn another_index_or_child_list_is_added_to_documents_that_are_there() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    committed(&journal(&store).await, noting("a", Expected::Any)).await;
    assert_eq!(indexes(&store).len(), 1);
    assert!(open_with(&store, &PRICED).await.is_none());
    assert_eq!(indexes(&store).len(), 2);
    assert!(read_note(&journal(&store).await, "a").await.is_some());
    assert_eq!(indexes(&store).len(), 1, "an index that is no longer declared goes");
}

#[tokio::test]
async fn other_columns_are_refused_where_there_are_documents_and_made_where_there_are_none() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let opened = journal(&store).await;
    committed(&opened, noting("a", Expected::Any)).await;
    let error = open_with(&store, &RETYPED).await.unwrap().to_string();
    assert!(error.contains("[title text, price money]") && error.contains("[title integer]"), "{error}");
    let delete = backbone::commit::Delete { collection: &NOTES, id: "a".to_owned(), expected: Expected::Any };
    committed(&opened, backbone::commit::Commit { deletes: vec![delete], ..Default::default() }).await;
    assert!(open_with(&store, &RETYPED).await.is_none());
}

#[tokio::test]
async fn names_that_cannot_be_tables_or_columns_are_refused_at_start() {
    static TAKEN: Collection = Collection { name: "events", columns: &[], children: &[] };
    static QUOTED: Collection = Collection { name: "x; DROP TABLE log", columns: &[], children: &[] };
    static OWN: Collection = Collection {
        name: "notes",
        columns: &[Column::plain("version", ColumnKind::Integer)],
        children: &[],
    };
    static TWICE: Collection = Collection {
        name: "notes",
        columns: &[Column::plain("a", ColumnKind::Money), Column::plain("a_currency", ColumnKind::Text)],
        children: &[],
    };
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for collection in [&TAKEN, &QUOTED, &OWN, &TWICE] {
        assert!(matches!(open_with(&store, collection).await, Some(Error::Unusable(_))), "{collection:?}");
    }
}

#[tokio::test]
async fn reports_see_documents_columns_and_child_lists_through_plain_views() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let opened = journal(&store).await;
    committed(&opened, noting("a", Expected::Any)).await;
    let look = |store: &Store| {
        let conn = Connection::open(&store.inner().file).unwrap();
        let row: (String, i64, String, i64, String, String) = conn
            .query_row(
                "SELECT id, version, title, price, price_currency, body ->> '$.lines[1].n' FROM order_notes",
                [],
                |row| {
                    Ok((
                        row.get(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get(3)?,
                        row.get(4)?,
                        row.get::<_, i64>(5)?.to_string(),
                    ))
                },
            )
            .unwrap();
        let lines: Vec<(String, i64, String)> = conn
            .prepare("SELECT parent, place, value FROM order_notes_lines ORDER BY place")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        (row, lines)
    };
    let expected_row = ("a".to_owned(), 1, "title".to_owned(), 1_250, "EUR".to_owned(), "2".to_owned());
    let lines =
        vec![("a".to_owned(), 0, "{\"n\":1}".to_owned()), ("a".to_owned(), 1, "{\"n\":2}".to_owned())];
    assert_eq!(look(&store), (expected_row.clone(), lines.clone()));
    // The views follow the collection through a rebuild.
    opened.shadow(ALONE, ShadowStep::Begin { shadow: "s".to_owned() }).await.unwrap();
    let rebuilt = Put { shadow: true, ..note("a", Expected::Any, "title") };
    committed(&opened, backbone::commit::Commit { puts: vec![rebuilt], ..Default::default() }).await;
    let (consumer, shadow) = ("p".to_owned(), "s".to_owned());
    opened.shadow(ALONE, ShadowStep::Swap { consumer, shadow, fence: None }).await.unwrap();
    assert_eq!(look(&store), (expected_row, lines));
    assert_eq!(indexes(&store).len(), 1);
}

static INDEXED: Collection = Collection {
    name: "indexed",
    columns: &[
        Column::indexed("a", ColumnKind::Text),
        Column::plain("b", ColumnKind::Integer),
        Column::indexed("c", ColumnKind::Money),
        Column::indexed("d", ColumnKind::Bool),
    ],
    children: &[],
};

/// Only the indexes over what changes are written: whatever changes, each says what is there.
#[tokio::test]
async fn every_index_follows_whatever_column_changes() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let schema = Schema { service: "order", collections: vec![&INDEXED] };
    let journal = store.storage().open(schema).await.unwrap();
    let money = |bit: u8| if bit == 0 { None } else { Some(kernel::Money::eur(i64::from(bit))) };
    // A walk over all pairs of the sixteen combinations.
    for (from, to) in (0..16u8).flat_map(|from| (0..16u8).map(move |to| (from, to))) {
        for value in [from, to] {
            let bit = |n: u8| value >> n & 1;
            let columns: Vec<backbone::collection::ColumnValue> = vec![
                bit(0).to_string().into(),
                i64::from(bit(1)).into(),
                money(bit(2)).into(),
                (bit(3) == 1).into(),
            ];
            let put = Put { collection: &INDEXED, columns: columns.clone(), ..note("a", Expected::Any, "x") };
            committed(&journal, backbone::commit::Commit { puts: vec![put], ..Default::default() }).await;
            for (column, value) in INDEXED.columns.iter().zip(columns) {
                let found = journal.find(Query::all(&INDEXED).equal(column.name, value)).await.unwrap();
                assert_eq!(found.len(), 1, "{} after {from} became {to}", column.name);
            }
        }
    }
    let conn = Connection::open(&store.inner().file).unwrap();
    let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

#[tokio::test]
async fn a_shadow_of_an_older_declaration_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let opened = journal(&store).await;
    opened.shadow(ALONE, ShadowStep::Begin { shadow: "s".to_owned() }).await.unwrap();
    assert!(open_with(&store, &PRICED).await.is_none());
    let put = Put { shadow: true, ..note("a", Expected::Any, "x") };
    let commit = backbone::commit::Commit { puts: vec![put], ..Default::default() };
    let refused = opened.submit(commit).await.unwrap().unwrap_err();
    assert!(matches!(&refused, Error::Malformed(what) if what.contains("no shadow")), "{refused}");
}

/// Each page of a list in order is found through the index, not by sorting the collection.
#[tokio::test]
async fn pages_in_an_indexed_order_are_read_from_the_index() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    drop(journal(&store).await);
    let tables = crate::tables::Tables::new(&Schema { service: "order", collections: vec![&NOTES] }).unwrap();
    let conn = Connection::open(&store.inner().file).unwrap();
    use backbone::collection::Direction::{Ascending, Descending};
    for query in [
        Query::all(&NOTES).sorted("title", Ascending),
        Query::all(&NOTES).sorted("title", Descending),
        Query::all(&NOTES).sorted("title", Ascending).after("t".into(), "a".to_owned()),
        Query::all(&NOTES).sorted("title", Descending).after("t".into(), "a".to_owned()),
        Query::all(&NOTES).equal("title", "t").after(backbone::collection::ColumnValue::Null, "a".to_owned()),
    ] {
        let statement = crate::query::statement(&tables, &query).unwrap();
        let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql)).unwrap();
        let plan: Vec<String> = explain
            .query_map(rusqlite::params_from_iter(&statement.values), |row| row.get(3))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let plan = plan.join("; ");
        assert!(plan.contains("USING INDEX order_c_notes_title") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}

/// Bound values must not make SQLite prepare a statement again: that was a third of the work.
#[tokio::test]
async fn statements_are_prepared_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let opened = journal(&store).await;
    for number in 0..10 {
        let mut commit = noting("a", Expected::Version(number));
        commit.appends = vec![super::sample::append("order-1", number, 1)];
        commit.source = super::sample::checkpoint("c", number, number + 1);
        committed(&opened, commit).await;
    }
    let schema = Schema { service: "order", collections: vec![&NOTES] };
    let tables = crate::tables::Tables::new(&schema).unwrap();
    let (reply, answer) = tokio::sync::oneshot::channel();
    let run = Box::new(move |conn: &Connection| {
        let notes = &tables.collections["notes"].live;
        for sql in [&tables.sql.append, &tables.sql.checkpoint_move, &notes.look, notes.update(0)] {
            let statement = conn.prepare_cached(sql).unwrap();
            assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0, "{sql}");
            assert!(statement.get_status(rusqlite::StatementStatus::Run) >= 9, "{sql}");
        }
        Ok(())
    });
    store.inner().submit(crate::queue::Job::Task { run, reply });
    answer.await.unwrap().unwrap();
}
