//! Processes that die: the tests start themselves again as a child that writes until it is gone.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use backbone::commit::{Commit, Expected};

use crate::Store;
use crate::queue::Job;

use super::sample::{
    append, checkpoint, is_committed, journal, note, open, public, read_note, stream_length,
};

const CHILD: &str = "tests::crash::child_that_writes_until_it_is_gone";
const DIRECTORY: &str = "A4CO_TEST_DIRECTORY";

/// Commit `number` of the child: an event, a document, a checkpoint and a public event.
fn commit(number: u64) -> Commit {
    Commit {
        appends: vec![append("order-1", number, 1)],
        puts: vec![note("only", Expected::Version(number), "x")],
        source: checkpoint("order-inventory", number, number + 1),
        outgoing: vec![public("order", number)],
        ..Commit::default()
    }
}

/// Not a test by itself: what the children below do. Tells every commit that was answered.
#[tokio::test]
async fn child_that_writes_until_it_is_gone() {
    let Ok(directory) = env::var(DIRECTORY) else { return };
    let store = open(Path::new(&directory));
    let opened = journal(&store).await;
    let mut number = stream_length(&opened, "order-1").await as u64;
    loop {
        let answers: Vec<_> = (number..number + 20).map(|n| opened.submit(commit(n))).collect();
        for answer in answers {
            if !is_committed(&answer.await.unwrap()) {
                return;
            }
            number += 1;
        }
        writeln!(std::io::stdout(), "written {number}").unwrap();
    }
}

fn start(directory: &Path, shell: Option<&str>) -> Child {
    let exe = env::current_exe().unwrap();
    let mut command = match shell {
        None => Command::new(&exe),
        Some(before) => {
            let mut command = Command::new("sh");
            command.arg("-c").arg(format!("{before}; exec \"$0\" \"$@\"")).arg(&exe);
            command
        }
    };
    command.args([CHILD, "--exact", "--nocapture"]).env(DIRECTORY, directory);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// How many commits the child was told are durable.
fn last_written(lines: impl Iterator<Item = String>) -> u64 {
    let numbers = lines.filter_map(|line| line.strip_prefix("written ")?.trim().parse().ok());
    numbers.max().unwrap_or(0)
}

/// All or nothing of each commit, and nothing of what was answered is missing.
async fn check(directory: &Path, answered: u64) -> u64 {
    // Looking at what a crash left changes nothing of it.
    let looked_at = Store::open_read_only(directory).unwrap();
    assert!(!looked_at.was_clean_shutdown());
    let seen = stream_length(&journal(&looked_at).await, "order-1").await as u64;
    drop(looked_at);
    let store = open(directory);
    assert!(!store.was_clean_shutdown());
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    let opened = journal(&store).await;
    let kept = stream_length(&opened, "order-1").await as u64;
    assert_eq!(kept, seen);
    assert!(kept >= answered, "{answered} were answered, {kept} are there");
    assert_eq!(read_note(&opened, "only").await.map_or(0, |found| found.version), kept);
    assert_eq!(opened.checkpoint("order-inventory").await.unwrap(), kept);
    assert_eq!(store.stats().log_end, kept);
    kept
}

#[tokio::test]
async fn a_killed_process_leaves_what_was_answered_and_nothing_in_part() {
    let directory = tempfile::tempdir().unwrap();
    let mut before = 0;
    for _ in 0..4 {
        let mut child = start(directory.path(), None);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let first = lines.by_ref().filter(|line| line.starts_with("written")).take(6).collect::<Vec<_>>();
        child.kill().unwrap();
        let rest = lines.collect::<Vec<_>>();
        child.wait().unwrap();
        let kept = check(directory.path(), last_written(first.into_iter().chain(rest))).await;
        assert!(kept > before);
        before = kept;
    }
}

/// Writes beyond the limit of a file's size fail as those to a broken disk do.
#[tokio::test]
async fn a_process_whose_disk_fails_ends_with_the_reason_and_keeps_what_was_answered() {
    let directory = tempfile::tempdir().unwrap();
    // Ignored, the signal becomes an error of the write; 512 or 1,024 bytes each.
    let child = start(directory.path(), Some("trap '' XFSZ; ulimit -f 2000"));
    let output = child.wait_with_output().unwrap();
    let (out, mut said) = (String::from_utf8_lossy(&output.stdout), String::new());
    output.stderr.as_slice().read_to_string(&mut said).unwrap();
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(said.contains("a4co verify"), "{said}");
    check(directory.path(), last_written(out.lines().map(str::to_owned))).await;
}

/// A killed process leaves its writes to the kernel; only a sync leaves them to the disk.
#[tokio::test]
async fn a_commit_is_synced_before_it_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (tell, told) = std::sync::mpsc::channel();
    let look = Box::new(move |conn: &rusqlite::Connection| {
        let mode: String = conn.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        let sync: i64 = conn.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
        tell.send((mode, sync)).unwrap();
        Ok(())
    });
    let (reply, answer) = tokio::sync::oneshot::channel();
    store.inner().submit(Job::Task { run: look, reply });
    answer.await.unwrap().unwrap();
    // 2 is FULL: the log of changes is synced with each transaction.
    assert_eq!(told.recv().unwrap(), ("wal".to_owned(), 2));
}
