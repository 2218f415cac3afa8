//! A server with a database, and a client that speaks just enough HTTP.

use iommap_artifacts::guest;
use mmdb::Value;
use mmdb::make::Maker;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything is waited for, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(120);

/// The server, and the directory that its component sees as `/data`.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) directory: TempDir,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Server {
    /// Starts the server with the component `lookup` and a small database.
    pub(crate) fn start(options: &[&str]) -> Server {
        Server::start_with(Path::new(guest("lookup")), options)
    }

    /// Starts it with any component.
    pub(crate) fn start_with(component: &Path, options: &[&str]) -> Server {
        let directory = TempDir::new().expect("a directory");
        fs::write(directory.path().join("country.mmdb"), database("AA")).expect("a database");
        let mut grant = directory.path().as_os_str().to_owned();
        grant.push("::/data");
        let mut child = Command::new(env!("CARGO_BIN_EXE_iommap-server"))
            .args(["--listen", "127.0.0.1:0", "--dir"])
            .arg(grant)
            // Time is not what the tests are about, unless they say so.
            .args(["--request-time", "100"])
            .args(options)
            .arg(component)
            .env_remove("RUST_LOG")
            .env("IOMMAP_LOG", "iommap_server=debug")
            .stdout(Stdio::piped())
            .stderr(fs::File::create(directory.path().join("log")).expect("a log"))
            .spawn()
            .expect("the server");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("its output"));
        stdout.read_line(&mut line).expect("its address");
        let address = line.trim().strip_prefix("http://").and_then(|line| line.strip_suffix('/'));
        let address = address.and_then(|address| address.parse().ok());
        let Some(address) = address else {
            let log = fs::read_to_string(directory.path().join("log"));
            panic!("the server did not start: {line:?} {log:?}");
        };
        Server { child, address, directory }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("country.mmdb")
    }

    /// Replaces the database as whoever updates one should: by rename.
    pub(crate) fn replace_database(&self, country: &str) {
        let new = self.directory.path().join("new");
        fs::write(&new, database(country)).expect("another database");
        fs::rename(new, self.database()).expect("the database replaced");
    }

    /// What the server has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).expect("the log")
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        ask(self.address, "GET", target).expect("an answer")
    }

    pub(crate) fn send(&self, method: &str, target: &str) -> Answer {
        ask(self.address, method, target).expect("an answer")
    }

    /// A sample of `/metrics`, by its name.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let page = self.get("/metrics").body;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {page}"))
    }

    /// Waits until something is so.
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&Server) -> bool) {
        let start = Instant::now();
        while !is_so(self) {
            assert!(start.elapsed() < PATIENCE, "{what}: not so far. The log: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("a signal sent");
    }

    /// Waits for the server's end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it goes on. The log: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Asks on a connection of its own.
pub(crate) fn ask(address: SocketAddr, method: &str, target: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let code = code.ok_or_else(|| std::io::Error::other(format!("no answer: {text:?}")))?;
    Ok(Answer { code, head: head.to_ascii_lowercase(), body: body.to_owned() })
}

/// A small database: 192.0.2.0/24, 2001:db8::/32 and an eighth of all IPv4 addresses, for load, are
/// in this country.
pub(crate) fn database(country: &str) -> Vec<u8> {
    let record = Value::Map(vec![("country_code".into(), Value::String(country.into()))]);
    let maker = Maker::new(6, 24).network("64.0.0.0/3", &record);
    maker.network("192.0.2.0/24", &record).network("2001:db8::/32", &record).make()
}
