//! Commits of one event, one document and one checkpoint, a second: alone, 64 and 1,024 at a time.
//!
//! `cargo run --release -p adapter-postgres --example bench_journal -- [SECONDS [postgres://…]]`: without
//! an address on a server of its own.

use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapter_postgres::{Options, PostgresStorage};
use backbone::collection::{Collection, Column, ColumnKind};
use backbone::commit::{Append, Commit, Expected, Outcome, Put, Source, StoredEvent};
use backbone::journal::{Journal, Schema, Storage};
use bytes::Bytes;
use futures::future::try_join_all;
use hdrhistogram::Histogram;
use kernel::Timestamp;
use testservers::PostgresServer;

const IN_FLIGHT: [usize; 3] = [1, 64, 1_024];
const PAYLOAD_BYTES: usize = 600;

static DOCUMENTS: Collection = Collection {
    name: "bench_documents",
    columns: &[
        Column::indexed("owner", ColumnKind::Text),
        Column::plain("changed_at", ColumnKind::Timestamp),
        Column::plain("amount", ColumnKind::Integer),
    ],
    children: &[],
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let each = Duration::from_secs(arguments.next().map_or(Ok(5), |seconds| seconds.parse())?);
    let server = if arguments.len() == 0 { Some(PostgresServer::start()?) } else { None };
    let own = server.as_ref().map(PostgresServer::database);
    let address = arguments.next().or(own).ok_or("which database?")?;
    let storage = PostgresStorage::open(&address, Options::default()).await?;
    let journal = storage.open(Schema { service: "bench", collections: vec![&DOCUMENTS] }).await?;
    let run = std::process::id();
    for in_flight in IN_FLIGHT {
        let (before, begun) = (storage.stats(), Instant::now());
        let writers = (0..in_flight).map(|writer| {
            let name = format!("{run}-{in_flight}-{writer}");
            let journal = journal.clone();
            tokio::spawn(async move { write_until(journal, name, begun + each).await })
        });
        let mut times = Histogram::<u64>::new(3)?;
        for written in try_join_all(writers).await? {
            times += written?;
        }
        let transactions = storage.stats().transactions - before.transactions;
        writeln!(
            io::stdout(),
            "{in_flight:>5} at a time: {:>7.0} commits/s, {:>5.1} a transaction, p50 {:.2} ms, p99 {:.2} ms",
            times.len() as f64 / begun.elapsed().as_secs_f64(),
            times.len() as f64 / transactions.max(1) as f64,
            times.value_at_quantile(0.5) as f64 / 1_000.0,
            times.value_at_quantile(0.99) as f64 / 1_000.0,
        )?;
    }
    Ok(())
}

/// Somebody with a stream, a document and a checkpoint of their own; gives microseconds.
async fn write_until(
    journal: Arc<dyn Journal>,
    name: String,
    end: Instant,
) -> Result<Histogram<u64>, Box<dyn Error + Send + Sync>> {
    let payload = Bytes::from(format!("{{\"said\":\"{}\"}}", "a".repeat(PAYLOAD_BYTES - 12)));
    let mut times = Histogram::new(3)?;
    let mut version = 0;
    while Instant::now() < end {
        let begun = Instant::now();
        match journal.submit(commit(&name, version, &payload)).await?? {
            Outcome::Committed { .. } => times.record(begun.elapsed().as_micros() as u64)?,
            other => return Err(format!("a commit without a rival ended as {other:?}").into()),
        }
        version += 1;
    }
    Ok(times)
}

fn commit(name: &str, version: u64, payload: &Bytes) -> Commit {
    let at = Timestamp::from_micros(1_800_000_000_000_000 + version as i64);
    let event = StoredEvent {
        version: version + 1,
        name: "measured".to_owned(),
        schema: 1,
        at,
        correlation_id: "0191f000-0000-7000-8000-000000000001".to_owned(),
        causation_id: "0191f000-0000-7000-8000-000000000002".to_owned(),
        person: None,
        data: payload.clone(),
    };
    let append =
        Append { stream: format!("bench-{name}"), expected: version, events: vec![event], snapshot: None };
    let put = Put {
        collection: &DOCUMENTS,
        shadow: false,
        id: name.to_owned(),
        expected: Expected::Version(version),
        person: None,
        body: payload.clone(),
        columns: vec![name.into(), at.into(), (version as i64).into()],
    };
    let source = Source::Checkpoint { consumer: name.to_owned(), from: version, to: version + 1 };
    Commit { appends: vec![append], puts: vec![put], source: Some(source), ..Commit::default() }
}
