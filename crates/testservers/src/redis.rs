//! Redis: a server of its own, on a free port, that keeps nothing when it ends.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::program::{Missing, find};
use crate::supervised::{Server, Supervised};

const PACKAGE: &str = "redis-server";
const START_TIME_MAX: Duration = Duration::from_secs(30);
const LOOK_PAUSE: Duration = Duration::from_millis(10);
/// At once, without a word to anybody.
const IMMEDIATE: &str = "KILL";
/// Another process may take a free port before the server does.
const PORTS_TRIED_MAX: u32 = 5;

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct RedisServer {
    program: PathBuf,
    directory: PathBuf,
    port: u16,
    settings: Vec<String>,
    running: Mutex<Option<Supervised>>,
}

impl RedisServer {
    /// Starts a server that lets everybody in; panics where the program is there and does not work.
    pub fn start() -> Result<Self, Missing> {
        Self::start_with(&[])
    }

    /// Starts a server with more settings, as on its command line: `--requirepass`, `secret`.
    pub fn start_with(settings: &[&str]) -> Result<Self, Missing> {
        let program = find("redis-server", PACKAGE, &["/usr/bin".into(), "/usr/local/bin".into()])?;
        let mut tries = 0;
        loop {
            match Self::begin(program.clone(), settings) {
                Ok(server) => return Ok(server),
                Err(error) if tries == PORTS_TRIED_MAX => panic!("Redis does not start: {error}"),
                Err(_) => tries += 1,
            }
        }
    }

    fn begin(program: PathBuf, settings: &[&str]) -> io::Result<Self> {
        // Kept: the supervisor removes it, whatever becomes of this process.
        let directory = tempfile::Builder::new().prefix("a4co-redis-").tempdir()?.keep();
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let server = Self { program, directory, port, settings, running: Mutex::default() };
        server.run()?;
        Ok(server)
    }

    /// Where it listens: `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The answer to a command of words without spaces, as the server writes it: `+PONG`.
    pub fn say(&self, command: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.trim_end().to_owned())
    }

    /// Ends the server at once; what it kept is lost.
    pub fn kill(&self) {
        let running = self.lock().take();
        if let Some(mut running) = running {
            running.stop().unwrap_or_else(|error| panic!("Redis does not stop: {error}"));
        }
    }

    /// Starts it again on the same port, empty.
    pub fn start_again(&self) {
        self.run().unwrap_or_else(|error| panic!("Redis does not start again: {error}"));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Supervised>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) -> io::Result<()> {
        let log = self.directory.join("log");
        let mut command = Command::new(&self.program);
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--daemonize", "no"]);
        command.args(["--save", "", "--appendonly", "no"]).arg("--dir").arg(&self.directory);
        command.arg("--logfile").arg(&log).args(&self.settings);
        let server = Server { command: &command, directory: &self.directory, log: &log, account: None };
        let mut running = Supervised::start(&server, IMMEDIATE)?;
        let give_up = Instant::now() + START_TIME_MAX;
        while !self.is_ready() {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let has_failed = said.contains("Failed listening") || said.contains("FATAL CONFIG");
            if has_failed || running.has_ended() || Instant::now() > give_up {
                return Err(io::Error::other(said));
            }
            std::thread::sleep(LOOK_PAUSE);
        }
        *self.lock() = Some(running);
        Ok(())
    }

    /// It answers: perhaps that it wants a password.
    fn is_ready(&self) -> bool {
        self.say("PING").is_ok_and(|answer| answer.starts_with("+PONG") || answer.starts_with("-NOAUTH"))
    }
}
