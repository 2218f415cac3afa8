//! A file system with a database in it that stops answering when told to: FUSE, served by the test
//! itself. Only what a reader of one file needs of its protocol is here, so that no package is
//! needed that would change how everything else is built.

use crate::scene::database;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use tempfile::TempDir;

/// The kernel's requests that are answered, by their numbers in `linux/fuse.h`.
mod operation {
    pub(super) const LOOKUP: u32 = 1;
    pub(super) const FORGET: u32 = 2;
    pub(super) const GETATTR: u32 = 3;
    pub(super) const OPEN: u32 = 14;
    pub(super) const READ: u32 = 15;
    pub(super) const RELEASE: u32 = 18;
    pub(super) const INIT: u32 = 26;
    pub(super) const OPENDIR: u32 = 27;
    pub(super) const RELEASEDIR: u32 = 29;
    pub(super) const INTERRUPT: u32 = 36;
    pub(super) const BATCH_FORGET: u32 = 42;
}

/// The length of what comes before each request and each reply.
const REQUEST_HEADER: usize = 40;
const REPLY_HEADER: usize = 16;

const FILE: u64 = 2;
const ENOENT: i32 = 2;
const ENOSYS: i32 = 38;

/// The file system, mounted for as long as this is kept.
pub(crate) struct Mounted {
    served: Arc<Served>,
    directory: TempDir,
}

struct Served {
    kernel: File,
    content: Vec<u8>,
    hangs: AtomicBool,
    unanswered: Mutex<Vec<Vec<u8>>>,
}

impl Mounted {
    /// `None` where it can't be mounted, as without root.
    pub(crate) fn new() -> Option<Mounted> {
        let directory = TempDir::new().expect("a directory");
        match mount(directory.path()) {
            Ok(kernel) => {
                let (hangs, unanswered) = (AtomicBool::new(false), Mutex::default());
                let served =
                    Arc::new(Served { kernel, content: database("AA"), hangs, unanswered });
                thread::spawn({
                    let served = served.clone();
                    move || served.serve()
                });
                Some(Mounted { served, directory })
            }
            Err(why) => {
                println!("skipped: no file system can be mounted here: {why}");
                None
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn stop_answering(&self) {
        self.served.hangs.store(true, SeqCst);
    }

    /// Answers again, and first whoever has waited.
    pub(crate) fn answer(&self) {
        let mut unanswered = self.served.unanswered.lock().unwrap();
        self.served.hangs.store(false, SeqCst);
        unanswered.drain(..).for_each(|request| self.served.reply(&request));
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.answer();
        // If it fails, its directory can't be removed either, and nothing else happens.
        _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// Mounts it, and returns the kernel's end.
fn mount(directory: &Path) -> Result<File, String> {
    let kernel = OpenOptions::new().read(true).write(true).open("/dev/fuse");
    let kernel = kernel.map_err(|error| format!("/dev/fuse: {error}"))?;
    // As the new process has it: 0 is its standard input.
    let options = "ro,fd=0,rootmode=40000,user_id=0,group_id=0,allow_other";
    let mount = Command::new("mount")
        .args(["--internal-only", "-t", "fuse", "-o", options, "hangs"])
        .arg(directory)
        .stdin(Stdio::from(kernel.try_clone().map_err(|error| error.to_string())?))
        .output()
        .map_err(|error| format!("mount: {error}"))?;
    match mount.status.success() {
        true => Ok(kernel),
        false => Err(String::from_utf8_lossy(&mount.stderr).trim().to_owned()),
    }
}

impl Served {
    /// Answers the kernel until the file system is unmounted.
    fn serve(&self) {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(length) = (&self.kernel).read(&mut buffer) {
            let request = &buffer[..length];
            let operation = u32_at(request, 4);
            let waits = [operation::LOOKUP, operation::READ].contains(&operation);
            let mut unanswered = self.unanswered.lock().unwrap();
            if waits && self.hangs.load(SeqCst) {
                unanswered.push(request.to_vec());
            } else {
                self.reply(request);
            }
        }
    }

    fn reply(&self, request: &[u8]) {
        let body = &request[REQUEST_HEADER..];
        let node = u64_at(request, 16);
        let answer = match u32_at(request, 4) {
            operation::INIT => Ok(initialized(body)),
            operation::LOOKUP if body == b"country.mmdb\0" => {
                // Valid for no time: it is asked for anew.
                let entry = [FILE, 0, 0, 0, 0].map(u64::to_ne_bytes).concat();
                Ok([entry, self.attributes(FILE)].concat())
            }
            operation::LOOKUP => Err(ENOENT),
            operation::GETATTR => Ok([vec![0; 16], self.attributes(node)].concat()),
            operation::OPEN | operation::OPENDIR => Ok(vec![0; 16]),
            operation::READ => {
                let (offset, size) = (u64_at(body, 8) as usize, u32_at(body, 16) as usize);
                let rest = &self.content[self.content.len().min(offset)..];
                Ok(rest[..rest.len().min(size)].to_vec())
            }
            operation::RELEASE | operation::RELEASEDIR => Ok(Vec::new()),
            operation::FORGET | operation::BATCH_FORGET | operation::INTERRUPT => return,
            _ => Err(ENOSYS),
        };
        let (error, body) = match answer {
            Ok(body) => (0, body),
            Err(error) => (-error, Vec::new()),
        };
        let mut reply = Vec::with_capacity(REPLY_HEADER + body.len());
        reply.extend(((REPLY_HEADER + body.len()) as u32).to_ne_bytes());
        reply.extend(error.to_ne_bytes());
        reply.extend(u64_at(request, 8).to_ne_bytes());
        reply.extend(body);
        // Whoever asked may be gone.
        _ = (&self.kernel).write(&reply);
    }

    /// `struct fuse_attr`.
    fn attributes(&self, node: u64) -> Vec<u8> {
        let (mode, size) = match node {
            FILE => (0o100_444_u32, self.content.len() as u64),
            _ => (0o040_555, 0),
        };
        let long = [node, size, size.div_ceil(512), 0, 0, 0].map(u64::to_ne_bytes).concat();
        // Three parts of times, mode, links, owner, group, device, size of a block, flags.
        let short = [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0].map(u32::to_ne_bytes).concat();
        [long, short].concat()
    }
}

/// `struct fuse_init_out`: version 7.31, with the kernel's own read-ahead, reads that don't wait
/// for each other, and writes of a page.
fn initialized(body: &[u8]) -> Vec<u8> {
    let (read_ahead, reads_apart, page) = (u32_at(body, 8), 1, 4096);
    let mut out = [7, 31, read_ahead, reads_apart, 0, page].map(u32::to_ne_bytes).concat();
    out.resize(64, 0);
    out
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
