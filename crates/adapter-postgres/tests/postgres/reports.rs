//! What reporting tools see: the same as on every other store.

use backbone::journal::Storage as _;
use conformance::reports::{self, VIEWS, View};
use testservers::PostgresServer;

use crate::sample::committed;
use crate::server::{name, open, server};

/// The server writes each row as an array of texts.
fn rows(server: &PostgresServer, database: &str, view: &View) -> Vec<Vec<String>> {
    let (columns, view_name) = (view.columns, view.name);
    let texts: Vec<String> = columns.iter().map(|column| format!("{column}::text")).collect();
    let select = format!(
        "SELECT to_json(ARRAY[{}]) FROM \"order\".{view_name} ORDER BY {}, {}",
        texts.join(", "),
        columns[0],
        columns[1],
    );
    let lines = server.sql(database, &select);
    let text = |(column, value): (&&str, Option<String>)| match value {
        None => "NULL".to_owned(),
        Some(json) if matches!(*column, "body" | "value") => {
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            json.to_string()
        }
        Some(text) => text,
    };
    let row = |line: &str| {
        let values: Vec<Option<String>> = serde_json::from_str(line).unwrap();
        columns.iter().zip(values).map(text).collect()
    };
    lines.lines().map(row).collect()
}

#[tokio::test]
async fn views_show_what_the_golden_table_says() {
    let Some(server) = server() else { return };
    let address = server.database();
    let journal = open(&address).await.open(reports::schema()).await.unwrap();
    committed(&journal, reports::commit()).await;
    for view in VIEWS {
        assert_eq!(rows(server, name(&address), view), view.rows, "{}", view.name);
    }
}
