//! A program under test: started on a processor core of its own, watched through the operating system's accounting, and
//! ended with its handle.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The core that servers share; clients have the other one (`benches/load/run`).
pub(crate) const SERVERS: &str = "0";
/// The core of clients, and of what stands for the upstream.
pub(crate) const CLIENTS: &str = "1";
/// Both, for what one core cannot do side by side.
pub(crate) const BOTH: &str = "0,1";

/// Longest that a program may take to start, to end, or to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running program.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    /// What each thread has taken so far: one that ends must not take its time along.
    threads: RefCell<BTreeMap<u64, Duration>>,
}

impl Process {
    /// Starts `program` on `cores`; what it prints goes to `log`, standard output to whoever reads it.
    pub(crate) fn start(program: &Path, arguments: &[&str], cores: &str, log: &Path) -> Self {
        let log = fs::File::create(log).unwrap();
        let mut command = Command::new("taskset");
        command.args(["-c", cores]).arg(program).args(arguments);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn();
        let mut child = child.expect("taskset of util-linux");
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output, threads: RefCell::default() }
    }

    /// The next line that it prints.
    pub(crate) fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// CPU time of all its threads so far.
    pub(crate) fn cpu(&self) -> Duration {
        let mut threads = self.threads.borrow_mut();
        for entry in fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("the program runs") {
            let task = entry.unwrap();
            let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
            let nanos = text.split(' ').next().unwrap().parse().unwrap();
            threads.insert(task.file_name().to_str().unwrap().parse().unwrap(), Duration::from_nanos(nanos));
        }
        threads.values().sum()
    }

    /// Its memory that is no file's, in KiB.
    pub(crate) fn anonymous_memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_some() {
            return;
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                self.child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Waits until somebody listens on `address`; whether that happened.
pub(crate) fn is_up(address: SocketAddr) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
