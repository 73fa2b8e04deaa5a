//! What reporting tools see: the same as on every other store.

use conformance::reports::{self, VIEWS, View};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::sample::{committed, open};
use crate::Store;

/// A value as the golden table writes it. SQLite has no truth values and no ids of its own.
fn text(column: &str, value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) if column == "is_gift" => (number == 1).to_string(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) if matches!(column, "body" | "value") => {
            let json: serde_json::Value = serde_json::from_slice(text).unwrap();
            json.to_string()
        }
        ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
        ValueRef::Blob(_) => panic!("{column} is no text"),
    }
}

fn rows(store: &Store, view: &View) -> Vec<Vec<String>> {
    let conn = Connection::open(&store.inner().file).unwrap();
    let (columns, name) = (view.columns.join(", "), view.name);
    let mut statement = conn.prepare(&format!("SELECT {columns} FROM order_{name} ORDER BY 1, 2")).unwrap();
    let mut found = statement.query([]).unwrap();
    let mut rows = Vec::new();
    while let Some(row) = found.next().unwrap() {
        let value = |(place, column): (usize, &&str)| text(column, row.get_ref(place).unwrap());
        rows.push(view.columns.iter().enumerate().map(value).collect());
    }
    rows
}

#[tokio::test]
async fn views_show_what_the_golden_table_says() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let journal = store.storage().open(reports::schema()).await.unwrap();
    committed(&journal, reports::commit()).await;
    for view in VIEWS {
        assert_eq!(rows(&store, view), view.rows, "{}", view.name);
    }
}
