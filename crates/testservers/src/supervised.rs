//! A server process that ends when whoever started it ends.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::program::Account;

/// Waits for a word or the end of its standard input, which comes in any case when the starting
/// process ends, even by SIGKILL; then it ends the server, and the directory unless it was told
/// to keep it.
const SUPERVISE: &str = r#"
signal=$1; directory=$2; shift 2
"$@" </dev/null &
server=$!
read -r word
kill -s "$signal" "$server" 2>/dev/null
wait "$server"
[ "$word" = keep ] || rm -rf "$directory"
"#;

/// What is started.
pub(crate) struct Server<'a> {
    /// The program with its arguments.
    pub(crate) command: &'a Command,
    /// Where it keeps its data.
    pub(crate) directory: &'a Path,
    /// The file for what it says.
    pub(crate) log: &'a Path,
    /// Whom it runs as, where that is somebody else.
    pub(crate) account: Option<Account>,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Supervised(Option<Child>);

impl Supervised {
    /// Starts `server`, which is ended by `signal`.
    pub(crate) fn start(server: &Server<'_>, signal: &str) -> io::Result<Self> {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("/bin/sh");
        let log = File::options().create(true).append(true).open(server.log)?;
        command.args(["-c", SUPERVISE, "sh", signal]).arg(server.directory);
        command.arg(server.command.get_program()).args(server.command.get_args());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        if let Some(account) = server.account {
            account.runs(&mut command);
        }
        // A signal from the terminal is for the tests: they end the server.
        command.process_group(0);
        command.spawn().map(|child| Self(Some(child)))
    }

    /// True where nothing supervises the server any more. A server that ended by itself does not
    /// show here: look into its log.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// Ends the server and keeps its directory.
    pub(crate) fn stop(&mut self) -> io::Result<()> {
        let Some(mut child) = self.0.take() else { return Ok(()) };
        if let Some(mut input) = child.stdin.take() {
            input.write_all(b"keep\n")?;
        }
        child.wait().map(drop)
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let Some(mut child) = self.0.take() else { return };
        drop(child.stdin.take());
        // Whether it ended well is nobody's question any more.
        let _ = child.wait();
    }
}
