//! PostgreSQL: a cluster of its own, durable, on a free port.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::program::{Account, Missing, find};
use crate::supervised::{Server, Supervised};

const PACKAGE: &str = "postgresql";
const START_TIME_MAX: Duration = Duration::from_secs(30);
/// Everything at once, as after a power failure: the next start recovers.
const IMMEDIATE: &str = "QUIT";
const VERSIONS: std::ops::RangeInclusive<u32> = 15..=18;

/// A running cluster; dropping it ends it and removes its data.
#[derive(Debug)]
pub struct PostgresServer {
    programs: Programs,
    directory: PathBuf,
    account: Option<Account>,
    port: u16,
    is_encrypted: bool,
    running: Mutex<Option<Supervised>>,
    databases: AtomicU32,
}

/// A certificate and its key, PEM.
const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";

#[derive(Debug)]
struct Programs {
    initdb: PathBuf,
    postgres: PathBuf,
    psql: PathBuf,
}

impl Programs {
    fn find() -> Result<Self, Missing> {
        let places: Vec<PathBuf> =
            VERSIONS.rev().map(|version| format!("/usr/lib/postgresql/{version}/bin").into()).collect();
        Ok(Self {
            initdb: find("initdb", PACKAGE, &places)?,
            postgres: find("postgres", PACKAGE, &places)?,
            psql: find("psql", PACKAGE, &places)?,
        })
    }
}

impl PostgresServer {
    /// Makes a cluster and starts it; panics where the programs are there and do not work.
    pub fn start() -> Result<Self, Missing> {
        let programs = Programs::find()?;
        Ok(Self::begin(programs, None).unwrap_or_else(|error| panic!("PostgreSQL does not start: {error}")))
    }

    /// The same with TLS, by a certificate and its key (PEM).
    pub fn start_encrypted(certificate: &str, key: &str) -> Result<Self, Missing> {
        let begun = Self::begin(Programs::find()?, Some((certificate, key)));
        Ok(begun.unwrap_or_else(|error| panic!("PostgreSQL does not start: {error}")))
    }

    fn begin(programs: Programs, identity: Option<(&str, &str)>) -> io::Result<Self> {
        // Kept: the supervisor removes it, whatever becomes of this process.
        let directory = tempfile::Builder::new().prefix("a4co-postgres-").tempdir()?.keep();
        let account = Account::other_than_root(&directory)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self {
            programs,
            directory,
            account,
            port,
            is_encrypted: identity.is_some(),
            running: Mutex::default(),
            databases: AtomicU32::new(0),
        };
        let mut initdb = server.command(&server.programs.initdb);
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]);
        run(initdb.arg("--pgdata").arg(server.data()))?;
        for (name, text) in identity.into_iter().flat_map(|(own, key)| [(CERTIFICATE, own), (KEY, key)]) {
            let file = server.data().join(name);
            fs::write(&file, text)?;
            // The server refuses a key that others could read.
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
            server.account.map_or(Ok(()), |account| account.owns(&file))?;
        }
        server.run()?;
        Ok(server)
    }

    /// Where a database listens: `postgres://…/NAME`.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database and gives its address.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// Runs a statement in a database, as an operator would; gives its rows as lines.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let mut psql = Command::new(&self.programs.psql);
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        run(psql.args(["--command", statement]).arg(self.url(database)))
            .unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// Ends the server as a power failure would and keeps its data.
    pub fn crash(&self) {
        let running = self.lock().take();
        if let Some(mut running) = running {
            running.stop().unwrap_or_else(|error| panic!("PostgreSQL does not stop: {error}"));
        }
    }

    /// Starts it again on the same port and data.
    pub fn start_again(&self) {
        self.run().unwrap_or_else(|error| panic!("PostgreSQL does not start again: {error}"));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Supervised>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory);
        if let Some(account) = self.account {
            account.runs(&mut command);
        }
        command
    }

    fn run(&self) -> io::Result<()> {
        let log = self.directory.join("log");
        let mut server = Command::new(&self.programs.postgres);
        server.arg("-D").arg(self.data()).arg("-k").arg(&self.directory).arg("-p").arg(self.port.to_string());
        for setting in [
            "listen_addresses=127.0.0.1",
            "fsync=on",
            "synchronous_commit=on",
            "max_connections=200",
            "shared_buffers=64MB",
            // Many small databases, file by file, would take it half a minute after a crash.
            "recovery_init_sync_method=syncfs",
        ] {
            server.args(["-c", setting]);
        }
        if self.is_encrypted {
            let files = [format!("ssl_cert_file={CERTIFICATE}"), format!("ssl_key_file={KEY}")];
            server.args(["-c", "ssl=on", "-c", &files[0], "-c", &files[1]]);
        }
        let server =
            Server { command: &server, directory: &self.directory, log: &log, account: self.account };
        let running = Supervised::start(&server, IMMEDIATE)?;
        let give_up = Instant::now() + START_TIME_MAX;
        while !self.is_ready() {
            if Instant::now() > give_up {
                return Err(io::Error::other(fs::read_to_string(&log).unwrap_or_default()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        *self.lock() = Some(running);
        Ok(())
    }

    /// The server writes its state into its file of the process: what `pg_ctl` waits for.
    fn is_ready(&self) -> bool {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        file.lines().nth(7).is_some_and(|state| state.trim() == "ready")
    }
}

/// Runs a program to its end; gives what it wrote.
fn run(command: &mut Command) -> io::Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
}
