//! A process of the fleet, watched as a supervisor would: while it is wanted and ends by itself, it
//! is started again.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::proxy::Proxy;

/// The pause before a process that ended by itself is started again.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a process that was told to stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// What a process is run with.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The product's program.
    pub program: PathBuf,
    /// The file that it is configured by.
    pub configuration: PathBuf,
    /// Where its lines go.
    pub log: PathBuf,
}

/// The cables of a process, where they can be pulled.
#[derive(Debug)]
pub struct Cables {
    /// To the database.
    pub database: Proxy,
    /// To the broker.
    pub broker: Proxy,
    /// To Redis.
    pub redis: Proxy,
    /// From those who call it.
    pub callers: Proxy,
}

/// How a process is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Running,
    /// Ended by SIGTERM: it finishes what it does.
    Stopped,
    /// Ended by SIGKILL.
    Killed,
}

/// A process of the fleet. Dropping it kills it.
#[derive(Debug)]
pub struct Member {
    /// `order-1`.
    pub name: String,
    /// The service that it runs; `gateway` runs none.
    pub service: &'static str,
    /// Where it listens.
    pub port: u16,
    /// Its cables, where they can be pulled.
    pub cables: Option<Cables>,
    wanted: watch::Sender<Wanted>,
    process: watch::Receiver<Option<u32>>,
    restarts: Arc<AtomicU32>,
}

/// What is needed to make a member.
#[derive(Debug)]
pub struct Description {
    /// `order-1`.
    pub name: String,
    /// The service that it runs.
    pub service: &'static str,
    /// Where it listens.
    pub port: u16,
    /// Its cables.
    pub cables: Option<Cables>,
}

impl Member {
    /// Starts a process and watches it.
    pub fn start(description: Description, launch: Launch) -> Self {
        let Description { name, service, port, cables } = description;
        let (wanted, wish) = watch::channel(Wanted::Running);
        let (running, process) = watch::channel(None);
        let restarts = Arc::new(AtomicU32::new(0));
        tokio::spawn(supervise(launch, wish, running, restarts.clone()));
        Self { name, service, port, cables, wanted, process, restarts }
    }

    /// How often it ended by itself and was started again.
    pub fn restarts(&self) -> u32 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Ends it at once.
    pub async fn kill(&self) {
        self.until(Wanted::Killed).await;
    }

    /// Lets it finish and ends it.
    pub async fn stop(&self) {
        self.until(Wanted::Stopped).await;
    }

    /// Starts it again; it may take a while until it serves.
    pub async fn start_again(&self) {
        self.until(Wanted::Running).await;
    }

    /// Takes the processor away from it: to itself no time passes.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// Gives the processor back.
    pub fn go_on(&self) -> anyhow::Result<()> {
        self.signal("CONT")
    }

    async fn until(&self, wanted: Wanted) {
        self.wanted.send_replace(wanted);
        let is_there = wanted == Wanted::Running;
        let mut process = self.process.clone();
        let _ = process.wait_for(|process| process.is_some() == is_there).await;
    }

    /// Where it does not run at the moment, nothing happens.
    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let process = *self.process.borrow();
        process.map_or(Ok(()), |process| send(signal, process))
    }
}

/// Sends a signal to a process that was started here.
fn send(signal: &str, process: u32) -> anyhow::Result<()> {
    let told = std::process::Command::new("kill").args(["-s", signal, &process.to_string()]).status();
    told.with_context(|| format!("SIG{signal}")).map(drop)
}

fn launch(what: &Launch) -> anyhow::Result<Child> {
    let log = std::fs::File::options().create(true).append(true).open(&what.log)?;
    let mut command = Command::new(&what.program);
    // What is set for whoever runs the fleet is not meant for its members.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("A4CO_")) {
        command.env_remove(name);
    }
    command.arg("--config").arg(&what.configuration).args(["serve", "--empty"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
    command.spawn().with_context(|| format!("starting {}", what.program.display()))
}

async fn supervise(
    what: Launch,
    mut wish: watch::Receiver<Wanted>,
    running: watch::Sender<Option<u32>>,
    restarts: Arc<AtomicU32>,
) {
    loop {
        // An error says that the member is gone: the child goes with this task.
        if wish.wait_for(|wanted| *wanted == Wanted::Running).await.is_err() {
            return;
        }
        let mut child = match launch(&what) {
            Ok(child) => child,
            Err(error) => {
                eprintln!("{error:#}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        running.send_replace(child.id());
        tokio::select! {
            _ = child.wait() => {
                restarts.fetch_add(1, Ordering::Relaxed);
                running.send_replace(None);
                tokio::time::sleep(PAUSE).await;
            }
            wanted = other_than_running(&mut wish) => {
                let Some(wanted) = wanted else { return };
                end(&mut child, wanted).await;
                running.send_replace(None);
            }
        }
    }
}

/// What else is wanted; nothing where nobody wants anything any more.
async fn other_than_running(wish: &mut watch::Receiver<Wanted>) -> Option<Wanted> {
    wish.wait_for(|wanted| *wanted != Wanted::Running).await.ok().map(|wanted| *wanted)
}

async fn end(child: &mut Child, wanted: Wanted) {
    if wanted == Wanted::Stopped
        && let Some(process) = child.id()
        && send("TERM", process).is_ok()
        && tokio::time::timeout(STOP_LIMIT, child.wait()).await.is_ok()
    {
        return;
    }
    let _ = child.kill().await;
}
