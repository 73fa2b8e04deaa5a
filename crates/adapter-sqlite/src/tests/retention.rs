//! Stores of before claims and answers were ever forgotten.

use backbone::commit::{Commit, Source};
use backbone::journal::{Prune, Pruned};
use kernel::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use super::sample::{committed, journal, open};
use crate::now;

const INDEX: &str = "order_inbox_at";

fn claiming(number: u128) -> Commit {
    let events = vec![Uuid::from_u128(number)];
    Commit { source: Some(Source::Inbox { consumer: "c".to_owned(), events }), ..Commit::default() }
}

fn has_index(conn: &Connection) -> bool {
    conn.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?1").unwrap().exists([INDEX]).unwrap()
}

#[tokio::test]
async fn a_store_that_was_made_before_claims_were_forgotten_is_opened_and_forgets_them() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    committed(&journal(&store).await, claiming(1)).await;
    let file = store.inner().file.clone();
    store.close().unwrap();
    let older = Connection::open(&file).unwrap();
    older.execute_batch(&format!("DROP INDEX {INDEX}")).unwrap();
    drop(older);

    let store = open(directory.path());
    let journal = journal(&store).await;
    assert!(has_index(&Connection::open(&file).unwrap()));
    let before_now = now();
    committed(&journal, claiming(2)).await;
    let prune = Prune { answers_before: Timestamp::from_micros(0), inbox_before: before_now, limit: 10 };
    assert_eq!(journal.prune(prune).await.unwrap(), Pruned { answers: 0, claims: 1 });
    let asked = [Uuid::from_u128(1), Uuid::from_u128(2)];
    assert_eq!(journal.claimed("c", &asked).await.unwrap(), [Uuid::from_u128(2)], "the younger one stays");
    store.close().unwrap();
}
