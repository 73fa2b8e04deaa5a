//! What the sandbox remembers, so that it cannot forget a charge: its own store, as a real gateway
//! has one, apart from the market's.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use backbone::environment::Spawner;
use futures::channel::oneshot;
use kernel::{Money, OrderId, PaymentId, Timestamp};
use serde::{Deserialize, Serialize};

/// What a key was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// To take money.
    Charge,
    /// To give money back.
    Refund,
}

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Money was taken or given back.
    Done,
    /// No money was moved; another key may do better.
    Failed,
    /// No money was moved, and none will be.
    Declined,
    /// The customer's bank is asking the customer.
    AwaitingCustomer,
    /// Called off.
    Voided,
}

/// A line of the memory. Of several with one key the last counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The idempotency key.
    pub key: String,
    /// What it was used for.
    pub operation: Operation,
    /// How it stands.
    pub standing: Standing,
    /// The method, for charges: what its script says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<String>,
    /// The key of the charge that a refund gives back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub charge_key: Option<String>,
    /// The order, for charges.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order_id: Option<OrderId>,
    /// The payment, for charges.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub payment_id: Option<PaymentId>,
    /// How much; none where an unknown key was called off.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amount: Option<Money>,
    /// When.
    pub at: Timestamp,
}

/// Where the sandbox remembers.
///
/// Promises: what `append` has accepted, `load` gives again after any crash, in order.
#[async_trait]
pub trait Memory: Send + Sync + 'static {
    /// Everything, in order.
    fn load(&self) -> io::Result<Vec<Record>>;

    /// Adds a record; durable when it returns.
    async fn append(&self, record: Record) -> io::Result<()>;
}

/// A memory that lasts as long as its clones: for tests and simulations.
#[derive(Clone, Default)]
pub struct InMemory(Arc<Mutex<Vec<Record>>>);

impl InMemory {
    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Memory for InMemory {
    fn load(&self) -> io::Result<Vec<Record>> {
        Ok(self.lock().clone())
    }

    async fn append(&self, record: Record) -> io::Result<()> {
        self.lock().push(record);
        Ok(())
    }
}

/// A memory in a file: a JSON object a line, one sync for all that wait.
pub struct FileMemory {
    path: PathBuf,
    queue: Arc<Mutex<Queue>>,
    file: Arc<File>,
    spawner: Arc<dyn Spawner>,
}

#[derive(Default)]
struct Queue {
    lines: Vec<u8>,
    waiting: Vec<oneshot::Sender<Result<(), String>>>,
    writing: bool,
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FileMemory {
    /// Opens or makes the file. A last line without its end was never answered for: it is cut off.
    pub fn open(path: &Path, spawner: Arc<dyn Spawner>) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        let (_, whole) = read(path)?;
        file.set_len(whole)?;
        file.sync_all()?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            // The name of a new file is durable when its folder is.
            File::open(folder)?.sync_all()?;
        }
        Ok(Self { path: path.to_owned(), queue: Arc::default(), file: Arc::new(file), spawner })
    }
}

/// Writes what waits until nothing does.
async fn drain(queue: Arc<Mutex<Queue>>, file: Arc<File>) {
    loop {
        let (lines, waiting) = {
            let mut queue = lock(&queue);
            if queue.lines.is_empty() {
                queue.writing = false;
                return;
            }
            (std::mem::take(&mut queue.lines), std::mem::take(&mut queue.waiting))
        };
        let file = file.clone();
        let write = move || (&*file).write_all(&lines).and_then(|()| file.sync_data());
        let written = match tokio::task::spawn_blocking(write).await {
            Ok(written) => written.map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        for waiter in waiting {
            // Who no longer waits does not want to know.
            let _ = waiter.send(written.clone());
        }
    }
}

#[async_trait]
impl Memory for FileMemory {
    fn load(&self) -> io::Result<Vec<Record>> {
        records(&self.path)
    }

    async fn append(&self, record: Record) -> io::Result<()> {
        let (sender, written) = oneshot::channel();
        let begins = {
            let mut queue = lock(&self.queue);
            serde_json::to_writer(&mut queue.lines, &record)?;
            queue.lines.push(b'\n');
            queue.waiting.push(sender);
            !std::mem::replace(&mut queue.writing, true)
        };
        if begins {
            // A task of its own: whoever asked may stop waiting, the others must not.
            let drain = drain(self.queue.clone(), self.file.clone());
            self.spawner.spawn("sandbox-memory", Box::pin(drain));
        }
        let written = written.await.map_err(|_| io::Error::other("the writer stopped"))?;
        written.map_err(io::Error::other)
    }
}

/// All records of a file, for those who compare charges with payments.
pub fn records(path: &Path) -> io::Result<Vec<Record>> {
    read(path).map(|(records, _)| records)
}

/// The records of whole lines, and how many bytes those have.
fn read(path: &Path) -> io::Result<(Vec<Record>, u64)> {
    let mut text = Vec::new();
    File::open(path)?.read_to_end(&mut text)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = lines.enumerate().map(|(index, line)| {
        serde_json::from_slice(line).map_err(|e| {
            let place = format!("{}:{}", path.display(), index + 1);
            io::Error::new(io::ErrorKind::InvalidData, format!("{place} cannot be read: {e}"))
        })
    });
    Ok((records.collect::<io::Result<_>>()?, whole as u64))
}
