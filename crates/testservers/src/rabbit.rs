//! RabbitMQ: a node of its own, with its own port mapper, on free ports of the loopback. It takes
//! some seconds to start, so tests share one and each takes a virtual host of its own.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::program::{Account, Missing, find};
use crate::supervised::{Server, Supervised};

const PACKAGE: &str = "rabbitmq-server";
/// Where the package keeps the programs that ask for no account.
const PLACE: &str = "/usr/lib/rabbitmq/bin";
/// An Erlang node, its database and its queues: seconds where nothing else runs.
const START_TIME_MAX: Duration = Duration::from_secs(90);
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// For the script that runs the node: it kills the node and its port mapper at once.
const IMMEDIATE: &str = "TERM";
/// Another process may take a free port before the server does.
const PORTS_TRIED_MAX: u32 = 5;
/// Who may do everything in each virtual host.
const USER: &str = "guest";

/// Runs the port mapper and the node; both end with this script.
const RUN: &str = r#"
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 >/dev/null 2>&1 &
mapper=$!
"$SERVER" &
node=$!
echo "$node" > "$NODE_PID_FILE"
trap 'kill -s KILL "$node" 2>/dev/null' TERM
wait "$node"
while kill -s 0 "$node" 2>/dev/null; do wait "$node"; done
kill -s KILL "$mapper" 2>/dev/null
rm -f "$NODE_PID_FILE"
"#;

/// A running node; dropping it ends it and removes its data.
#[derive(Debug)]
pub struct RabbitServer {
    program: PathBuf,
    control: PathBuf,
    directory: PathBuf,
    account: Option<Account>,
    ports: Ports,
    hosts: usize,
    taken: AtomicUsize,
    running: Mutex<Option<Supervised>>,
}

/// Where it listens: for clients, for other nodes, and its port mapper.
#[derive(Clone, Copy, Debug)]
struct Ports {
    clients: u16,
    nodes: u16,
    mapper: u16,
}

impl RabbitServer {
    /// Starts a node with `hosts` virtual hosts; panics where the programs are there and do not work.
    pub fn start(hosts: usize) -> Result<Self, Missing> {
        Self::start_with(hosts, "")
    }

    /// Starts a node that has read `definitions` (JSON, as an operator imports them) instead.
    pub fn start_defined(definitions: &str) -> Result<Self, Missing> {
        Self::start_with(0, definitions)
    }

    fn start_with(hosts: usize, definitions: &str) -> Result<Self, Missing> {
        let program = find("rabbitmq-server", PACKAGE, &[PLACE.into()])?;
        let control = find("rabbitmqctl", PACKAGE, &[PLACE.into()])?;
        let mut tries = 0;
        loop {
            match Self::begin((program.clone(), control.clone()), hosts, definitions) {
                Ok(server) => return Ok(server),
                Err(error) if tries == PORTS_TRIED_MAX => panic!("RabbitMQ does not start: {error}"),
                Err(_) => tries += 1,
            }
        }
    }

    fn begin(programs: (PathBuf, PathBuf), hosts: usize, definitions: &str) -> io::Result<Self> {
        // Kept: the supervisor removes it, whatever becomes of this process.
        let directory = tempfile::Builder::new().prefix("a4co-rabbit-").tempdir()?.keep();
        let account = Account::other_than_root(&directory)?;
        let sockets = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0"));
        let [clients, nodes, mapper] = sockets.map(|socket| socket?.local_addr().map(|at| at.port()));
        let ports = Ports { clients: clients?, nodes: nodes?, mapper: mapper? };
        let (program, control) = programs;
        let (taken, running) = (AtomicUsize::new(0), Mutex::default());
        let server = Self { program, control, directory, account, ports, hosts, taken, running };
        let definitions =
            if definitions.is_empty() { everything_allowed(hosts) } else { definitions.to_owned() };
        fs::write(server.directory.join("definitions.json"), definitions)?;
        fs::write(server.directory.join("rabbitmq.conf"), server.configuration())?;
        fs::write(server.directory.join("run"), server.script())?;
        server.run()?;
        Ok(server)
    }

    /// A virtual host that nobody else was given: `amqp://guest:guest@127.0.0.1:PORT/NAME`.
    pub fn host(&self) -> String {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        assert!(number < self.hosts, "the node was started with {} virtual hosts", self.hosts);
        self.url(USER, USER, &host_name(number))
    }

    /// Where a user finds a virtual host.
    pub fn url(&self, user: &str, password: &str, host: &str) -> String {
        format!("amqp://{user}:{password}@{}/{host}", self.address())
    }

    /// Where it listens for clients: `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.clients)
    }

    /// Lets the node finish what it does, ends it and keeps its data.
    pub fn stop(&self) {
        if let Some(node) = self.node() {
            let told = Command::new("/bin/sh").args(["-c", "kill -s TERM \"$0\"", &node]).status();
            told.unwrap_or_else(|error| panic!("RabbitMQ is not told to stop: {error}"));
            let give_up = Instant::now() + START_TIME_MAX;
            while self.node().is_some() && Instant::now() < give_up {
                std::thread::sleep(LOOK_PAUSE);
            }
        }
        self.kill();
    }

    /// Ends the node at once and keeps its data.
    pub fn kill(&self) {
        let running = self.lock().take();
        if let Some(mut running) = running {
            running.stop().unwrap_or_else(|error| panic!("RabbitMQ does not stop: {error}"));
        }
    }

    /// Starts it again on the same ports and data.
    pub fn start_again(&self) {
        self.run().unwrap_or_else(|error| panic!("RabbitMQ does not start again: {error}"));
    }

    /// Removes the data of a node that does not run.
    pub fn lose_data(&self) {
        assert!(self.lock().is_none(), "the node runs");
        fs::remove_dir_all(self.directory.join("data"))
            .unwrap_or_else(|error| panic!("the data cannot be removed: {error}"));
    }

    /// Asks the node something as its operator would; gives what it answered.
    pub fn control(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("/bin/sh");
        let script = format!("{}\nexec \"$CONTROL\" --quiet \"$@\"", self.variables());
        command.args(["-c", &script, "sh"]).args(arguments).stdin(Stdio::null());
        command.current_dir(&self.directory);
        if let Some(account) = self.account {
            account.runs(&mut command);
        }
        let output = command.output().unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Supervised>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node_file(&self) -> PathBuf {
        self.directory.join("node")
    }

    /// The node's process.
    fn node(&self) -> Option<String> {
        let written = fs::read_to_string(self.node_file()).ok()?;
        Some(written.trim().to_owned()).filter(|node| !node.is_empty())
    }

    fn configuration(&self) -> String {
        format!(
            "listeners.tcp.1 = {}\nloopback_users = none\nload_definitions = {}\n\
             log.file = false\nlog.console = true\nlog.console.level = warning\n",
            self.address(),
            self.directory.join("definitions.json").display(),
        )
    }

    /// What node and operator must agree on.
    fn variables(&self) -> String {
        let Ports { nodes, mapper, .. } = self.ports;
        let mut text = String::new();
        let mut set = |name: &str, value: &Path| {
            writeln!(text, "export {name}='{}'", value.display()).expect("text takes text");
        };
        set("HOME", &self.directory);
        set("SERVER", &self.program);
        set("CONTROL", &self.control);
        set("NODE_PID_FILE", &self.node_file());
        set("RABBITMQ_MNESIA_BASE", &self.directory.join("data"));
        set("RABBITMQ_LOG_BASE", &self.directory.join("logs"));
        set("RABBITMQ_CONFIG_FILE", &self.directory.join("rabbitmq.conf"));
        set("RABBITMQ_PID_FILE", &self.directory.join("pid"));
        set("RABBITMQ_ENABLED_PLUGINS_FILE", &self.directory.join("plugins"));
        set("RABBITMQ_CONF_ENV_FILE", Path::new("/dev/null"));
        // The name of the node is its data's, too.
        set("RABBITMQ_NODENAME", Path::new(&format!("a4co-{nodes}@localhost")));
        set("RABBITMQ_DIST_PORT", Path::new(&nodes.to_string()));
        set("ERL_EPMD_PORT", Path::new(&mapper.to_string()));
        set("ERL_EPMD_ADDRESS", Path::new("127.0.0.1"));
        // The node replaces its shell, so that its process is the one that is killed.
        set("RABBITMQ_ALLOW_INPUT", Path::new("1"));
        // It waits without turning in circles: other tests need the processors.
        set(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            Path::new(
                "-noinput -kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
            ),
        );
        text
    }

    fn script(&self) -> String {
        format!("{}\n{RUN}", self.variables())
    }

    fn run(&self) -> io::Result<()> {
        let log = self.directory.join("log");
        let mut command = Command::new("/bin/sh");
        command.arg(self.directory.join("run"));
        let server =
            Server { command: &command, directory: &self.directory, log: &log, account: self.account };
        let mut running = Supervised::start(&server, IMMEDIATE)?;
        let give_up = Instant::now() + START_TIME_MAX;
        let mut was_seen = false;
        while !self.is_ready() {
            let node = self.node();
            was_seen |= node.is_some();
            let has_ended = running.has_ended() || was_seen && node.is_none();
            if has_ended || Instant::now() > give_up {
                return Err(io::Error::other(fs::read_to_string(&log).unwrap_or_default()));
            }
            std::thread::sleep(LOOK_PAUSE);
        }
        *self.lock() = Some(running);
        Ok(())
    }

    /// It answers the protocol's greeting: listeners come last, after the queues.
    fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address()) else { return false };
        let mut answer = [0; 1];
        let asked = stream.set_read_timeout(Some(Duration::from_secs(2)));
        let asked = asked.and_then(|()| stream.write_all(b"AMQP\x00\x00\x09\x01"));
        // The first frame is one of methods.
        asked.and_then(|()| stream.read_exact(&mut answer)).is_ok() && answer == [1]
    }
}

fn host_name(number: usize) -> String {
    format!("test-{number}")
}

/// Virtual hosts in which one user may do everything.
fn everything_allowed(hosts: usize) -> String {
    let names: Vec<String> = (0..hosts).map(host_name).collect();
    let list = |one: &dyn Fn(&String) -> String| names.iter().map(one).collect::<Vec<_>>().join(",");
    format!(
        r#"{{"vhosts":[{}],"users":[{{"name":"{USER}","password":"{USER}","tags":""}}],"permissions":[{}]}}"#,
        list(&|name| format!(r#"{{"name":"{name}"}}"#)),
        list(&|name| format!(
            r#"{{"user":"{USER}","vhost":"{name}","configure":".*","write":".*","read":".*"}}"#
        )),
    )
}
