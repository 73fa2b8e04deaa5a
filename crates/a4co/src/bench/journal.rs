//! Commits of one event, one document and one checkpoint through the journal on SQLite: alone, and
//! so many at a time that they share their syncs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapter_sqlite::Store;
use backbone::collection::{Collection, Column, ColumnKind};
use backbone::commit::{Append, Commit, Expected, Outcome, Put, Source, StoredEvent};
use backbone::journal::{Journal, Schema};
use bytes::Bytes;
use futures::future::try_join_all;
use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use kernel::Timestamp;
use serde::Serialize;

use super::cpu::Spent;
use super::{Error, Sync, Times, figure, note, recorder, write_json};
use crate::table::{Table, thousands};

/// How many commits are under way at a time, one measurement each.
const IN_FLIGHT: [usize; 3] = [1, 64, 1_024];
/// The payload of an event, and the body of a document: usual sizes.
const PAYLOAD_BYTES: usize = 600;

/// How the bench is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its files are made, and removed again: the disk that is measured.
    pub directory: PathBuf,
    /// For how long, each measurement.
    pub each: Duration,
    /// Where the figures go as JSON.
    pub json: Option<PathBuf>,
}

/// The figures of one measurement.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Commits under way at a time.
    pub in_flight: usize,
    /// Commits.
    pub commits: u64,
    /// Commits a second.
    pub commits_per_second: f64,
    /// Syncs for each commit.
    pub syncs_per_commit: f64,
    /// From submission until it is durable.
    pub latency: Times,
    /// CPU time of the process for each commit, in microseconds; the load is included.
    pub cpu_us_per_commit: Option<f64>,
    /// Commits a second × the time of a sync: how many commits a sync of this disk carries.
    pub commits_per_sync_time: f64,
}

/// All figures.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The yardstick: a sync of 4 KiB on the same disk, right before.
    pub sync: Sync,
    /// One for each number of commits under way.
    pub runs: Vec<Figures>,
}

const DOCUMENTS: Collection = Collection {
    name: "bench_documents",
    columns: &[
        Column::indexed("owner", ColumnKind::Text),
        Column::plain("changed_at", ColumnKind::Timestamp),
        Column::plain("amount", ColumnKind::Integer),
    ],
    children: &[],
};

/// Measures. The progress bar gets its length here.
pub async fn run(options: &Options, progress: &ProgressBar) -> Result<Report, Error> {
    let directory = options.directory.join(format!("bench-journal-{}", std::process::id()));
    std::fs::create_dir_all(&directory)
        .map_err(|source| Error::File { what: format!("making {}", directory.display()), source })?;
    let measured = measure(&directory, options, progress).await;
    // The figures count, whatever becomes of the files.
    if let Err(error) = std::fs::remove_dir_all(&directory) {
        tracing::warn!(%error, directory = %directory.display(), "the bench's files stay: remove them");
    }
    progress.finish_and_clear();
    let report = measured?;
    if let Some(path) = &options.json {
        write_json(path, &report)?;
    }
    Ok(report)
}

async fn measure(directory: &Path, options: &Options, progress: &ProgressBar) -> Result<Report, Error> {
    let sync = Sync::measure(directory)?;
    let store = Store::open(&directory.join("store"), adapter_sqlite::Options::default());
    let store = store.map_err(|e| Error::Store(e.to_string()))?;
    let schema = Schema { service: "bench", collections: vec![&DOCUMENTS] };
    let journal = store.storage().open(schema).await.map_err(|e| Error::Store(e.to_string()))?;
    progress.set_length(options.each.as_secs().max(1) * IN_FLIGHT.len() as u64);
    let mut runs = Vec::new();
    for (number, in_flight) in IN_FLIGHT.into_iter().enumerate() {
        progress.set_message(format!("{in_flight} at a time"));
        let run = Run { store: &store, journal: &journal, each: options.each, sync, progress };
        runs.push(run.measure(number, in_flight).await?);
    }
    drop(journal);
    store.close().map_err(|e| Error::Store(e.to_string()))?;
    Ok(Report { sync, runs })
}

/// One measurement.
struct Run<'a> {
    store: &'a Store,
    journal: &'a Arc<dyn Journal>,
    each: Duration,
    sync: Sync,
    progress: &'a ProgressBar,
}

impl Run<'_> {
    async fn measure(&self, number: usize, in_flight: usize) -> Result<Figures, Error> {
        let (before, cpu_before) = (self.store.stats(), Spent::now(""));
        let started = Instant::now();
        let end = started + self.each;
        let writers: Vec<_> = (0..in_flight)
            .map(|writer| {
                let journal = self.journal.clone();
                tokio::spawn(async move { Writer::new(number, writer).write_until(&*journal, end).await })
            })
            .collect();
        let ticking = self.progress.clone();
        let ticks = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                ticking.inc(1);
            }
        });
        let written = try_join_all(writers).await;
        ticks.abort();
        let mut latency = recorder();
        for written in written.map_err(|e| Error::Store(e.to_string()))? {
            latency += written?;
        }
        let seconds = started.elapsed().as_secs_f64();
        let (after, cpu_after) = (self.store.stats(), Spent::now(""));
        let commits = latency.len();
        let per_commit = |count: f64| count / commits.max(1) as f64;
        let cpu = cpu_before.zip(cpu_after).map(|(before, after)| after.since(before).process);
        let commits_per_second = commits as f64 / seconds;
        Ok(Figures {
            in_flight,
            commits,
            commits_per_second,
            syncs_per_commit: per_commit((after.syncs - before.syncs) as f64),
            latency: Times::from(&latency),
            cpu_us_per_commit: cpu.map(|spent| per_commit(spent.as_secs_f64() * 1e6)),
            commits_per_sync_time: commits_per_second * self.sync.times.p50_ms / 1_000.0,
        })
    }
}

/// Somebody with a stream, a document and a checkpoint of their own.
struct Writer {
    name: String,
    ticket: u64,
    version: u64,
    payload: Bytes,
}

impl Writer {
    fn new(run: usize, writer: usize) -> Self {
        let text = "a".repeat(PAYLOAD_BYTES - 12);
        Self {
            name: format!("run-{run}-writer-{writer}"),
            ticket: ((run * 1_000_000 + writer) as u64) << 32,
            version: 0,
            payload: Bytes::from(format!("{{\"said\":\"{text}\"}}")),
        }
    }

    async fn write_until(mut self, journal: &dyn Journal, end: Instant) -> Result<Histogram<u64>, Error> {
        let mut latency = recorder();
        while Instant::now() < end {
            let commit = self.commit();
            let started = Instant::now();
            match journal.submit(commit).await {
                Ok(Ok(Outcome::Committed { .. })) => note(&mut latency, started.elapsed()),
                Ok(Ok(other)) => {
                    return Err(Error::Store(format!("a commit without a rival ended as {other:?}")));
                }
                Ok(Err(error)) => return Err(Error::Store(error.to_string())),
                Err(_) => return Err(Error::Store("the writer went away".to_owned())),
            }
        }
        Ok(latency)
    }

    fn commit(&mut self) -> Commit {
        let before = self.version;
        self.version += 1;
        self.ticket += 1;
        let at = Timestamp::from_micros(1_800_000_000_000_000 + self.version as i64);
        let event = StoredEvent {
            version: self.version,
            name: "measured".to_owned(),
            schema: 1,
            at,
            correlation_id: "0191f000-0000-7000-8000-000000000001".to_owned(),
            causation_id: "0191f000-0000-7000-8000-000000000002".to_owned(),
            person: None,
            data: self.payload.clone(),
        };
        Commit {
            ticket: self.ticket,
            appends: vec![Append {
                stream: format!("bench-{}", self.name),
                expected: before,
                events: vec![event],
                snapshot: None,
            }],
            puts: vec![Put {
                collection: &DOCUMENTS,
                shadow: false,
                id: self.name.clone(),
                expected: Expected::Version(before),
                person: None,
                body: self.payload.clone(),
                columns: vec![self.name.as_str().into(), at.into(), (self.version as i64).into()],
            }],
            source: Some(Source::Checkpoint { consumer: self.name.clone(), from: before, to: self.version }),
            ..Commit::default()
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sync = self.sync.times;
        writeln!(
            f,
            "\nCommits of one event, one document and one checkpoint (SQLite, every commit durable)\n"
        )?;
        let mut table = Table::new([
            "at a time",
            "commits",
            "commits/s",
            "syncs/commit",
            "p50 ms",
            "p99 ms",
            "CPU µs/commit",
            "commits per sync time",
        ]);
        for run in &self.runs {
            table.row([
                run.in_flight.to_string(),
                thousands(run.commits),
                figure(run.commits_per_second),
                figure(run.syncs_per_commit),
                figure(run.latency.p50_ms),
                figure(run.latency.p99_ms),
                run.cpu_us_per_commit.map_or_else(|| "–".to_owned(), figure),
                figure(run.commits_per_sync_time),
            ]);
        }
        write!(f, "{table}")?;
        writeln!(
            f,
            "\n  yardstick: one sync of 4 KiB on this disk takes {} ms (median; p99 {} ms)",
            figure(sync.p50_ms),
            figure(sync.p99_ms)
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use indicatif::ProgressBar;

    use super::{IN_FLIGHT, Options, run};

    #[tokio::test(flavor = "multi_thread")]
    async fn many_commits_at_a_time_share_their_syncs_and_nothing_is_left_behind() {
        let directory = tempfile::tempdir().unwrap();
        let json = directory.path().join("figures.json");
        let options = Options {
            directory: directory.path().to_owned(),
            each: Duration::from_millis(300),
            json: Some(json.clone()),
        };
        let report = run(&options, &ProgressBar::hidden()).await.unwrap();
        assert_eq!(report.runs.len(), IN_FLIGHT.len());
        assert!((report.runs[0].syncs_per_commit - 1.0).abs() < 0.05, "{report}");
        assert!(report.runs[2].syncs_per_commit < 0.2, "{report}");
        assert!(report.to_string().contains("yardstick"));
        let figures: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
        assert_eq!(figures["runs"][1]["inFlight"], 64);
        let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().flatten().map(|e| e.path()).collect();
        assert_eq!(left, [json]);
    }
}
