//! NATS with JetStream: a server of its own, on a free port, with its data in a directory of its own.

use std::fs;
use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::program::{Missing, find};
use crate::supervised::{Server, Supervised};

const PACKAGE: &str = "nats-server";
const START_TIME_MAX: Duration = Duration::from_secs(30);
const LOOK_PAUSE: Duration = Duration::from_millis(10);
/// At once, without a word to anybody.
const IMMEDIATE: &str = "KILL";
/// Another process may take a free port before the server does.
const PORTS_TRIED_MAX: u32 = 5;

/// A running server; dropping it ends it and removes its data.
#[derive(Debug)]
pub struct NatsServer {
    program: PathBuf,
    directory: PathBuf,
    port: u16,
    running: Mutex<Option<Supervised>>,
}

impl NatsServer {
    /// Starts a server that lets everybody in; panics where the program is there and does not work.
    pub fn start() -> Result<Self, Missing> {
        Self::start_with("")
    }

    /// Starts a server with more lines of configuration (accounts, TLS, limits).
    pub fn start_with(settings: &str) -> Result<Self, Missing> {
        let program = find("nats-server", PACKAGE, &["/usr/sbin".into(), "/usr/local/bin".into()])?;
        let mut tries = 0;
        loop {
            match Self::begin(program.clone(), settings) {
                Ok(server) => return Ok(server),
                Err(error) if tries == PORTS_TRIED_MAX => panic!("NATS does not start: {error}"),
                Err(_) => tries += 1,
            }
        }
    }

    fn begin(program: PathBuf, settings: &str) -> io::Result<Self> {
        // Kept: the supervisor removes it, whatever becomes of this process.
        let directory = tempfile::Builder::new().prefix("a4co-nats-").tempdir()?.keep();
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self { program, directory, port, running: Mutex::default() };
        let configuration = format!(
            "listen: 127.0.0.1:{port}\npid_file: {:?}\njetstream {{ store_dir: {:?} }}\n{settings}\n",
            server.pid_file(),
            server.directory.join("data"),
        );
        fs::write(server.configuration(), configuration)?;
        server.run()?;
        Ok(server)
    }

    /// Where it listens: `nats://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Lets the server finish what it does, ends it and keeps its data.
    pub fn stop(&self) {
        let signal = format!("quit={}", self.pid_file().display());
        let mut command = Command::new(&self.program);
        let told = command.args(["--signal", &signal]).stdin(Stdio::null()).output();
        told.unwrap_or_else(|error| panic!("NATS is not told to stop: {error}"));
        let give_up = Instant::now() + START_TIME_MAX;
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() && Instant::now() < give_up {
            std::thread::sleep(LOOK_PAUSE);
        }
        self.kill();
    }

    /// Ends the server at once and keeps its data.
    pub fn kill(&self) {
        let running = self.lock().take();
        if let Some(mut running) = running {
            running.stop().unwrap_or_else(|error| panic!("NATS does not stop: {error}"));
        }
    }

    /// Starts it again on the same port and data.
    pub fn start_again(&self) {
        self.run().unwrap_or_else(|error| panic!("NATS does not start again: {error}"));
    }

    /// Removes the data of a server that does not run.
    pub fn lose_data(&self) {
        assert!(self.lock().is_none(), "the server runs");
        fs::remove_dir_all(self.directory.join("data"))
            .unwrap_or_else(|error| panic!("the data cannot be removed: {error}"));
    }

    /// Publishes an empty message, as another client would; gives when the server has taken it.
    pub fn tell(&self, subject: &str) {
        let told = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            write!(stream, "CONNECT {{\"verbose\":false}}\r\nPUB {subject} 0\r\n\r\nPING\r\n")?;
            let mut lines = BufReader::new(stream).lines();
            lines.find(|line| line.as_ref().map_or(true, |line| line == "PONG")).transpose()
        });
        assert!(matches!(told, Ok(Some(_))), "{subject} is not told: {told:?}");
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Supervised>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pid_file(&self) -> PathBuf {
        self.directory.join("pid")
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("nats.conf")
    }

    fn run(&self) -> io::Result<()> {
        let log = self.directory.join("log");
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(self.configuration());
        let server = Server { command: &command, directory: &self.directory, log: &log, account: None };
        let mut running = Supervised::start(&server, IMMEDIATE)?;
        let give_up = Instant::now() + START_TIME_MAX;
        while !self.is_ready() {
            let has_failed = fs::read_to_string(&log).unwrap_or_default().contains("[FTL]");
            if has_failed || running.has_ended() || Instant::now() > give_up {
                return Err(io::Error::other(fs::read_to_string(&log).unwrap_or_default()));
            }
            std::thread::sleep(LOOK_PAUSE);
        }
        *self.lock() = Some(running);
        Ok(())
    }

    /// It greets whoever connects, and says that it has JetStream.
    fn is_ready(&self) -> bool {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut greeting = String::new();
        let read = stream.set_read_timeout(Some(Duration::from_secs(1)));
        let read = read.and_then(|()| BufReader::new(stream).read_line(&mut greeting));
        read.is_ok() && greeting.starts_with("INFO") && greeting.contains("\"jetstream\":true")
    }
}
