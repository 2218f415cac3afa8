//! Servers of this program's own, on a copy of the database.

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// What the component calls the directory and the database in it.
const DIRECTORY: &str = "/data";
const DATABASE: &str = "/data/database.mmdb";

/// What is served: a component, and a database in a directory that goes with this.
pub(crate) struct Scene {
    program: PathBuf,
    component: PathBuf,
    directory: TempDir,
    pub(crate) database: PathBuf,
}

impl Scene {
    pub(crate) fn new(component: &Path, database: &Path) -> Result<Scene> {
        let program = std::env::current_exe().context("where is this program?")?;
        let program = program.with_file_name("iommap-server");
        ensure!(program.exists(), "there is no iommap-server beside this program");
        let directory = TempDir::new().context("cannot create a directory")?;
        let copy = directory.path().join("database.mmdb");
        fs::copy(database, &copy).with_context(|| format!("cannot copy {}", database.display()))?;
        Ok(Scene { program, component: component.to_owned(), directory, database: copy })
    }

    /// Starts a server on a free port, with further options, and waits until it listens.
    pub(crate) fn start(&self, options: &[&str]) -> Result<Server> {
        let mut grant = self.directory.path().as_os_str().to_owned();
        grant.push("::");
        grant.push(DIRECTORY);
        let mut child = Command::new(&self.program)
            .args(["--listen", "127.0.0.1:0", "--keep-mapped", DATABASE, "--dir"])
            .arg(grant)
            .args(["--env", &format!("LOOKUP_DATABASE={DATABASE}")])
            .args(options)
            .arg(&self.component)
            .env("IOMMAP_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the server has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').parse();
        match address {
            Ok(address) => Ok(Server { child, address }),
            Err(_) => {
                // It has said why.
                let ended = child.wait()?;
                anyhow::bail!("the server did not start: {ended}")
            }
        }
    }
}

/// A server that runs, and ends with this.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to stop. Tells whether it did so with every request answered.
    pub(crate) fn stop(mut self) -> Result<bool> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("the server is gone")?;
        Ok(self.child.wait()?.success())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already if all went well.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
