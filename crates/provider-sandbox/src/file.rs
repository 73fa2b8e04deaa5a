//! A memory in a file: a JSON object a line. Several processes may share it, as replicas of a
//! service share a gateway: whoever decides holds the file's lock and has read what the others
//! wrote. All decisions that wait here are made in one turn and synced once.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use backbone::environment::Spawner;
use futures::channel::oneshot;

use crate::memory::{Decision, Memory, Settled, settle};
use crate::record::{Book, Record};

/// A memory in a file.
pub struct FileMemory {
    path: PathBuf,
    queue: Arc<Mutex<Queue>>,
    reading: Arc<Mutex<Reading>>,
    spawner: Arc<dyn Spawner>,
}

/// Decisions that wait for their turn.
#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Somebody takes turns until nothing waits.
    is_served: bool,
}

struct Waiting {
    key: String,
    decision: Decision,
    answer: oneshot::Sender<Result<Settled, String>>,
}

/// The file as far as it was read.
struct Reading {
    file: File,
    to: u64,
    book: Book,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FileMemory {
    /// Opens or makes the file. A last line without its end was never answered for: it is cut off.
    pub fn open(path: &Path, spawner: Arc<dyn Spawner>) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        let mut reading = Reading { file, to: 0, book: Book::default() };
        reading.turn(path, |_| Ok(()))?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            // The name of a new file is durable when its folder is.
            File::open(folder)?.sync_all()?;
        }
        let reading = Arc::new(Mutex::new(reading));
        Ok(Self { path: path.to_owned(), queue: Arc::default(), reading, spawner })
    }
}

impl Reading {
    /// Does something while nobody else may, once everything that others wrote is read.
    fn turn<T>(&mut self, path: &Path, act: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        self.file.lock()?;
        let done = self.catch_up(path).and_then(|()| act(self));
        self.file.unlock()?;
        done
    }

    fn catch_up(&mut self, path: &Path) -> io::Result<()> {
        if self.file.metadata()?.len() == self.to {
            return Ok(());
        }
        let mut text = Vec::new();
        self.file.seek(SeekFrom::Start(self.to))?;
        self.file.read_to_end(&mut text)?;
        let (records, whole) = parse(path, &text)?;
        if whole < text.len() {
            // Whoever began this line is gone: nobody writes without the lock.
            self.file.set_len(self.to + whole as u64)?;
            self.file.sync_all()?;
        }
        records.into_iter().for_each(|record| self.book.keep(record));
        self.to += whole as u64;
        Ok(())
    }

    /// Makes decisions one after another; what they changed is durable when this returns.
    fn decide(&mut self, decisions: Vec<(String, Decision)>) -> io::Result<Vec<Settled>> {
        let mut lines = Vec::new();
        let mut settled = Vec::with_capacity(decisions.len());
        for (key, decision) in decisions {
            let done = settle(&mut self.book, &key, decision);
            if done.is_new {
                serde_json::to_writer(&mut lines, &done.record)?;
                lines.push(b'\n');
            }
            settled.push(done);
        }
        if lines.is_empty() {
            return Ok(settled);
        }
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.to += lines.len() as u64,
            // What is not durable was not done, and nobody was told of it: what counts is the file.
            Err(_) => (self.to, self.book) = (0, Book::default()),
        }
        written.map(|()| settled)
    }
}

/// Takes turns until nothing waits.
async fn serve(queue: Arc<Mutex<Queue>>, reading: Arc<Mutex<Reading>>, path: PathBuf) {
    loop {
        let waiting = {
            let mut queue = lock(&queue);
            if queue.waiting.is_empty() {
                queue.is_served = false;
                return;
            }
            std::mem::take(&mut queue.waiting)
        };
        let (decisions, answers): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|one| ((one.key, one.decision), one.answer)).unzip();
        let (reading, path) = (reading.clone(), path.clone());
        let turn = move || lock(&reading).turn(&path, |reading| reading.decide(decisions));
        let settled = match tokio::task::spawn_blocking(turn).await {
            Ok(Ok(settled)) => settled.into_iter().map(Ok).collect(),
            Ok(Err(e)) => vec![Err(e.to_string()); answers.len()],
            Err(e) => vec![Err(e.to_string()); answers.len()],
        };
        for (answer, settled) in answers.into_iter().zip(settled) {
            // Who no longer waits does not want to know.
            let _ = answer.send(settled);
        }
    }
}

#[async_trait]
impl Memory for FileMemory {
    fn load(&self) -> io::Result<Vec<Record>> {
        records(&self.path)
    }

    async fn decide(&self, key: &str, decision: Decision) -> io::Result<Settled> {
        let (answer, settled) = oneshot::channel();
        let begins = {
            let mut queue = lock(&self.queue);
            queue.waiting.push(Waiting { key: key.to_owned(), decision, answer });
            !std::mem::replace(&mut queue.is_served, true)
        };
        if begins {
            // A task of its own: whoever asked may stop waiting, the others must not.
            let serve = serve(self.queue.clone(), self.reading.clone(), self.path.clone());
            self.spawner.spawn("sandbox-memory", Box::pin(serve));
        }
        let settled = settled.await.map_err(|_| io::Error::other("the writer stopped"))?;
        settled.map_err(io::Error::other)
    }
}

/// All records of a file, for those who compare charges with payments.
pub fn records(path: &Path) -> io::Result<Vec<Record>> {
    parse(path, &std::fs::read(path)?).map(|(records, _)| records)
}

/// The records of whole lines, and how many bytes those have.
fn parse(path: &Path, text: &[u8]) -> io::Result<(Vec<Record>, usize)> {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = lines.map(|line| {
        serde_json::from_slice(line).map_err(|e| {
            let place = format!("{}: {}", path.display(), String::from_utf8_lossy(line));
            io::Error::new(io::ErrorKind::InvalidData, format!("{place} cannot be read: {e}"))
        })
    });
    Ok((records.collect::<io::Result<_>>()?, whole))
}
