//! A market that is taken in: as if it had been written here, and never half.

use adapter_postgres::{Import, ImportError, OpenError, Options, PostgresStorage};
use backbone::collection::Query;
use backbone::commit::{Answer, Commit, Expected};
use backbone::journal::{Recorded, Schema, Sent, StoredDocument};
use backbone::moving::{Ends, KeptClaim, KeptDocument, Page, WrappedKey};
use kernel::Timestamp;
use uuid::Uuid;

use crate::sample::{NOTES, appending, committed, event, journal, note, public};
use crate::server::{name, open, server};

const SERVICES: &[&str] = &["order"];

fn schema() -> Schema {
    Schema { service: "order", collections: vec![&NOTES] }
}

fn recorded(position: u64, version: u64) -> Recorded {
    Recorded { position, stream: "order-1".to_owned(), event: event(version) }
}

fn answer() -> Answer {
    let (key, body) = ("POST|x".to_owned(), "{}".into());
    Answer { key, fingerprint: u64::MAX, body, at: Timestamp::from_micros(5) }
}

fn document() -> KeptDocument {
    let note = note("a", Expected::Any, "title");
    let document = StoredDocument { id: note.id, version: 7, person: None, body: note.body };
    KeptDocument { document, columns: note.columns }
}

async fn begin(address: &str, again: bool) -> Result<Import, ImportError> {
    Import::begin(address, SERVICES, again).await
}

#[tokio::test]
async fn what_was_taken_in_is_as_if_it_had_been_written_here_and_goes_on() {
    let Some(server) = server() else { return };
    let address = server.database();
    let mut import = begin(&address, false).await.unwrap();
    let mut service = import.service(&schema()).await.unwrap();
    let id = Uuid::from_u128(1);
    let claim = KeptClaim { consumer: "order-payment".to_owned(), event: id, at: Timestamp::from_micros(2) };
    for (page, new) in [
        (Page::Events(vec![recorded(3, 1), recorded(9, 2)]), 2),
        (Page::Documents(&NOTES, vec![document()]), 1),
        (Page::Documents(&NOTES, Vec::new()), 0),
        (Page::Answers(vec![answer()]), 1),
        (Page::Published(vec![Sent { position: 40, envelope: public(1) }]), 1),
        (Page::Claims(vec![claim.clone()]), 1),
        (Page::Claims(vec![claim]), 0),
        (Page::Checkpoints(vec![("relay".to_owned(), 40)]), 1),
    ] {
        assert_eq!(service.take(&page).await.unwrap(), new, "{page:?}");
    }
    service.finish(Ends { events: 9, log: 50 }).await.unwrap();
    let erased_at = Some(Timestamp::from_micros(8));
    let key = |person, erased_at| WrappedKey {
        person: Uuid::from_u128(person),
        wrapped: vec![1; 60],
        master_id: "m".to_owned(),
        erased_at,
    };
    import.keys(&[key(1, None), key(2, erased_at)]).await.unwrap();
    assert_eq!(import.count_keys().await.unwrap(), (2, 1));
    let counts = import.counts(&schema()).await.unwrap();
    let rows =
        ["events", "c_notes", "answers", "log", "inbox", "checkpoints", "snapshots"].map(|t| counts[t]);
    assert_eq!(rows, [2, 1, 1, 1, 1, 1, 0]);
    assert_eq!(import.heads(&schema(), "", 10).await.unwrap(), [("order-1".to_owned(), 2)]);
    import.finish().await.unwrap();

    let journal = journal(&open(&address).await).await;
    assert_eq!(journal.feed(0, 10).await.unwrap(), [recorded(3, 1), recorded(9, 2)]);
    let found = journal.find(Query::all(&NOTES).equal("title", "title")).await.unwrap();
    assert_eq!(found, [document().document]);
    assert_eq!(journal.answer("POST|x").await.unwrap(), Some(answer()));
    assert_eq!(journal.claimed("order-payment", &[id]).await.unwrap(), [id]);
    assert_eq!(journal.checkpoint("relay").await.unwrap(), 40);
    committed(&journal, Commit { outgoing: vec![public(2)], ..appending("order-1", 2) }).await;
    let sent = journal.outgoing(40, 10).await.unwrap();
    assert_eq!(sent.iter().map(|sent| sent.position).collect::<Vec<_>>(), [51]);
    let later = journal.feed(9, 10).await.unwrap();
    assert_eq!(later.iter().map(|event| event.position).collect::<Vec<_>>(), [10]);
}

#[tokio::test]
async fn what_was_cut_off_is_recognised_kept_closed_and_cleared_on_demand() {
    let Some(server) = server() else { return };
    let address = server.database();
    let mut import = begin(&address, false).await.unwrap();
    let under_way = begin(&address, true).await.unwrap_err();
    assert!(matches!(under_way, ImportError::UnderWay), "{under_way}");
    let mut service = import.service(&schema()).await.unwrap();
    service.take(&Page::Events(vec![recorded(3, 1)])).await.unwrap();
    drop(import);

    let closed = PostgresStorage::open(&address, Options::default()).await.unwrap_err();
    assert!(matches!(closed, OpenError::Unfinished), "{closed}");
    // The server notices a while later that nobody is there any more.
    let unfinished = loop {
        match begin(&address, false).await {
            Err(ImportError::UnderWay) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            other => break other.unwrap_err(),
        }
    };
    assert!(matches!(unfinished, ImportError::Unfinished { .. }), "{unfinished}");
    let mut import = loop {
        match begin(&address, true).await {
            Err(ImportError::UnderWay) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            other => break other.unwrap(),
        }
    };
    import.service(&schema()).await.unwrap().finish(Ends::default()).await.unwrap();
    assert_eq!(import.counts(&schema()).await.unwrap()["events"], 0);
    import.finish().await.unwrap();
    drop(open(&address).await);
}

#[tokio::test]
async fn a_database_with_a_market_or_its_keys_is_never_taken() {
    let Some(server) = server() else { return };
    let address = server.database();
    drop(journal(&open(&address).await).await);
    let keys_only = server.database();
    server.sql(name(&keys_only), "CREATE SCHEMA keyring; CREATE TABLE keyring.keys (person uuid)");
    for (address, named) in [(&address, "schema order"), (&keys_only, "schema keyring")] {
        for again in [false, true] {
            let refused = begin(address, again).await.unwrap_err();
            assert!(matches!(refused, ImportError::Occupied { .. }), "{refused}");
            assert!(refused.to_string().contains(named), "{refused}");
        }
    }
    server.sql(name(&keys_only), "DROP SCHEMA keyring CASCADE; CREATE SCHEMA \"order\"");
    // An operator may have made empty schemas.
    begin(&keys_only, false).await.unwrap().finish().await.unwrap();
}
