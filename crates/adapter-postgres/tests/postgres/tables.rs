//! Tables, columns, views; what happens when a declaration or the layout changes.

use adapter_postgres::{OpenError, Options, PostgresStorage};
use backbone::collection::{Collection, Column, ColumnKind, Query};
use backbone::commit::{Commit, Delete, Expected, Put};
use backbone::journal::{Error, Schema, ShadowStep, Storage};
use futures::future::join_all;

use crate::sample::{NOTES, appending, committed, journal, note, noting};
use crate::server::{name, open, server};

async fn open_with(storage: &PostgresStorage, collection: &'static Collection) -> Option<Error> {
    storage.open(Schema { service: "order", collections: vec![collection] }).await.err()
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
async fn tables_of_a_newer_program_are_left_alone() {
    let Some(server) = server() else { return };
    let address = server.database();
    let storage = open(&address).await;
    drop(journal(&storage).await);
    server.sql(name(&address), "UPDATE \"order\".layout SET version = 99");
    let error = open_with(&storage, &NOTES).await.unwrap().to_string();
    assert!(error.contains("have layout 99, this program knows up to 2"), "{error}");
}

#[tokio::test]
async fn a_schema_of_something_else_is_refused() {
    let Some(server) = server() else { return };
    let address = server.database();
    server.sql(name(&address), "CREATE SCHEMA \"order\"; CREATE TABLE \"order\".theirs (x int)");
    let error = open_with(&open(&address).await, &NOTES).await.unwrap().to_string();
    assert!(error.contains("tables of something else (theirs)"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_at_once_make_the_tables_once() {
    let Some(server) = server() else { return };
    let address = server.database();
    let replicas = join_all((0..6).map(|_| async { journal(&open(&address).await).await })).await;
    for (number, replica) in replicas.iter().enumerate() {
        committed(replica, appending("order-1", number as u64)).await;
    }
}

#[tokio::test]
async fn other_columns_are_refused_where_there_are_documents_and_made_where_there_are_none() {
    let Some(server) = server() else { return };
    let storage = open(&server.database()).await;
    let opened = journal(&storage).await;
    committed(&opened, noting("a", Expected::Any)).await;
    let error = open_with(&storage, &RETYPED).await.unwrap().to_string();
    assert!(error.contains("[title text, price money]") && error.contains("[title integer]"), "{error}");
    let delete = Delete { collection: &NOTES, id: "a".to_owned(), expected: Expected::Any };
    committed(&opened, Commit { deletes: vec![delete], ..Commit::default() }).await;
    assert!(open_with(&storage, &RETYPED).await.is_none());
}

#[tokio::test]
async fn another_index_or_child_list_is_added_to_documents_that_are_there() {
    let Some(server) = server() else { return };
    let address = server.database();
    let storage = open(&address).await;
    let opened = journal(&storage).await;
    committed(&opened, noting("a", Expected::Any)).await;
    let indexes =
        || server.sql(name(&address), "SELECT count(*) FROM pg_indexes WHERE tablename = 'c_notes'");
    assert_eq!(indexes(), "2", "of the key and of the title");
    assert!(open_with(&storage, &PRICED).await.is_none());
    assert_eq!(indexes(), "3");
    assert_eq!(server.sql(name(&address), "SELECT count(*) FROM \"order\".notes_tags"), "0");
    assert_eq!(journal(&storage).await.find(Query::all(&NOTES)).await.unwrap().len(), 1);
    assert_eq!(indexes(), "2", "an index that is no longer declared goes");
}

#[tokio::test]
async fn names_that_cannot_be_tables_or_columns_are_refused_at_start() {
    static TAKEN: Collection = Collection { name: "positions", columns: &[], children: &[] };
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
    let Some(server) = server() else { return };
    let storage = open(&server.database()).await;
    for collection in [&TAKEN, &QUOTED, &OWN, &TWICE] {
        assert!(matches!(open_with(&storage, collection).await, Some(Error::Unusable(_))), "{collection:?}");
    }
    for service in ["public", "pg_toast", "keyring"] {
        let opened = storage.open(Schema { service, collections: Vec::new() }).await;
        assert!(matches!(opened, Err(Error::Unusable(_))), "{service}");
    }
}

#[tokio::test]
async fn reports_see_documents_columns_and_child_lists_through_plain_views() {
    let Some(server) = server() else { return };
    let address = server.database();
    let storage = open(&address).await;
    let opened = journal(&storage).await;
    committed(&opened, noting("a", Expected::Any)).await;
    // Whatever JSON there is, the view shows it.
    let mut odd = note("b", Expected::Any, "odd");
    odd.body = r#"{"text":"\u0000\u0000 \\u0000","lines":{"no":"list"}}"#.into();
    committed(&opened, Commit { puts: vec![odd], ..Commit::default() }).await;
    let look = || {
        let row = "SELECT id, version, title, price, price_currency, body->'lines'->1->>'n' FROM \"order\".notes \
                   WHERE id = 'a'";
        let lines = "SELECT parent, place, value FROM \"order\".notes_lines ORDER BY place";
        [row, lines].map(|sql| server.sql(name(&address), sql))
    };
    let expected = ["a|1|title|1250|EUR|2".to_owned(), "a|0|{\"n\": 1}\na|1|{\"n\": 2}".to_owned()];
    assert_eq!(look(), expected);
    let odd = server.sql(name(&address), "SELECT body->>'text' FROM \"order\".notes WHERE id = 'b'");
    assert_eq!(odd, "\u{fffd}\u{fffd} \\u0000");
    // The views follow the collection through a rebuild.
    opened.shadow(ALONE, ShadowStep::Begin { shadow: "s".to_owned() }).await.unwrap();
    let rebuilt = Put { shadow: true, ..note("a", Expected::Any, "title") };
    committed(&opened, Commit { puts: vec![rebuilt], ..Commit::default() }).await;
    let (consumer, shadow) = ("p".to_owned(), "s".to_owned());
    opened.shadow(ALONE, ShadowStep::Swap { consumer, shadow, fence: None }).await.unwrap();
    assert_eq!(look(), expected);
}

#[tokio::test]
async fn a_shadow_that_was_never_begun_cannot_be_written() {
    let Some(server) = server() else { return };
    let opened = journal(&open(&server.database()).await).await;
    let put = Put { shadow: true, ..note("a", Expected::Any, "x") };
    let refused = opened.submit(Commit { puts: vec![put], ..Commit::default() }).await.unwrap().unwrap_err();
    assert!(matches!(&refused, Error::Malformed(what) if what.contains("no shadow")), "{refused}");
    committed(&opened, noting("a", Expected::Any)).await;
}

#[tokio::test]
async fn commits_that_wait_share_a_transaction() {
    let Some(server) = server() else { return };
    let storage = open(&server.database()).await;
    let journal = journal(&storage).await;
    let answers: Vec<_> = (0..512).map(|number| journal.submit(appending("order-1", number))).collect();
    for answer in answers {
        assert!(crate::sample::is_committed(&answer.await.unwrap()));
    }
    let stats = storage.stats();
    assert_eq!((stats.commits, stats.refused), (512, 0));
    assert!(stats.transactions <= 6, "{stats:?}");
}

#[tokio::test]
async fn an_address_that_asks_for_what_would_not_protect_is_refused() {
    let refused = PostgresStorage::open("postgres://a@127.0.0.1/b?sslmode=prefer", Options::default()).await;
    assert!(matches!(refused, Err(OpenError::Tls(_))), "{refused:?}");
    let refused = PostgresStorage::open("somewhere", Options::default()).await;
    assert!(matches!(refused, Err(OpenError::Address(_))), "{refused:?}");
}
