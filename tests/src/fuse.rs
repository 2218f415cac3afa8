//! A file system that keeps its users waiting: one file `f`, in a process of its own, so that what a
//! test waits for is never itself.
//!
//! It speaks the kernel's protocol (`linux/fuse.h`, version 7.31) as far as one file needs it.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::{env, io, mem};

use tempfile::TempDir;

/// In the environment of the process that serves: its descriptor for the kernel, and the one for
/// the test.
const SERVER: &str = "IOMMAP_TEST_FUSE";

/// What the kernel asks a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Request {
    /// For a file's length to be changed, among others.
    Setattr = 4,
    /// For a file to be opened.
    Open = 14,
    /// For bytes, as a page is missing.
    Read = 15,
    /// For bytes to be kept, as a page is written back.
    Write = 16,
    /// For what was written to be made durable.
    Fsync = 20,
    /// The same for a directory.
    Fsyncdir = 30,
    /// Who has a lock.
    Getlk = 31,
    /// For a lock, or to have it back.
    Setlk = 32,
    /// For blocks of a range, or to have them back.
    Fallocate = 43,
}

/// The file system, mounted until it is dropped.
pub struct Fuse {
    directory: TempDir,
    server: Child,
    answers: BufReader<UnixStream>,
}

impl Fuse {
    /// Mounts it, with `length` bytes of [`pattern`](crate::scene::pattern) in its file; or says why
    /// that can't be.
    ///
    /// Only in [`in_namespace`](crate::child::in_namespace), and before anything else there: the
    /// process that serves is this program once more, told to run the same test.
    pub fn mount(length: usize) -> Result<Fuse, String> {
        if let Ok(descriptors) = env::var(SERVER) {
            serve(&descriptors, length);
        }
        let device = File::options().read(true).write(true).open("/dev/fuse");
        let device = device.map_err(|error| format!("/dev/fuse: {error}"))?;
        let directory = TempDir::new().expect("a directory");
        mount(&device, directory.path()).map_err(|error| format!("mount: {error}"))?;
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        for descriptor in [device.as_raw_fd(), theirs.as_raw_fd()] {
            // SAFETY: it only lets the process that is started next have them.
            unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) };
        }
        let server = Command::new(env::current_exe().expect("this program"))
            .args(env::args_os().skip(1))
            .env(SERVER, format!("{} {}", device.as_raw_fd(), theirs.as_raw_fd()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the process that serves");
        // From here on it alone has the device: when it ends, nobody waits for it any more.
        drop((device, theirs));
        Ok(Fuse { directory, server, answers: BufReader::new(ours) })
    }

    /// Where it is mounted.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn say(&mut self, words: &str) -> u64 {
        writeln!(self.answers.get_mut(), "{words}").expect("the server listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the server answers");
        answer.trim().parse().expect("a number")
    }

    /// From now on requests of this kind wait until [`release`](Fuse::release).
    pub fn hold(&mut self, request: Request) {
        self.say(&format!("hold {}", request as u32));
    }

    /// Waits until a request waits.
    pub fn wait_for_one(&mut self) {
        while self.say("waiting") == 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Answers all that wait, and lets none wait any more.
    pub fn release(&mut self) {
        self.say("release");
    }

    /// From now on what asks for the blocks of more bytes at once is interrupted before it is done, as
    /// if there were always a signal.
    pub fn interrupt_above(&mut self, bytes: u32) {
        self.say(&format!("interrupt {bytes}"));
    }

    /// How many requests of this kind there were so far.
    pub fn count(&mut self, request: Request) -> u64 {
        self.say(&format!("count {}", request as u32))
    }

    /// The length of the file.
    pub fn length(&mut self) -> u64 {
        self.say("length")
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        // What still waits gets an error, and the mount goes with the namespace.
        _ = self.server.kill();
        _ = self.server.wait();
        let path = CString::new(self.directory().as_os_str().as_bytes()).expect("a path");
        // SAFETY: a path.
        unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
    }
}

fn mount(device: &File, directory: &Path) -> io::Result<()> {
    let directory = CString::new(directory.as_os_str().as_bytes())?;
    // SAFETY: they only ask.
    let (user, group) = unsafe { (libc::getuid(), libc::getgid()) };
    let options = format!(
        "fd={},rootmode=40000,user_id={user},group_id={group},allow_other",
        device.as_raw_fd()
    );
    let options = CString::new(options)?;
    // SAFETY: strings that end in zero.
    let done = unsafe {
        libc::mount(
            c"iommap-test".as_ptr(),
            directory.as_ptr(),
            c"fuse".as_ptr(),
            libc::MS_NOSUID | libc::MS_NODEV,
            options.as_ptr().cast(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What the process that serves does, to its end.
fn serve(descriptors: &str, length: usize) -> ! {
    let mut descriptors = descriptors.split(' ').map(|fd| fd.parse::<RawFd>().expect("a number"));
    let mut next = || {
        let fd = descriptors.next().expect("two descriptors");
        // SAFETY: it was left open for this process, and nobody else here has it.
        unsafe { File::from_raw_fd(fd) }
    };
    let (device, test) = (next(), next());
    let state = State {
        bytes: crate::scene::pattern(length),
        held: None,
        most: u32::MAX,
        waiting: Vec::new(),
        counts: HashMap::new(),
        locks: Vec::new(),
    };
    let server = Arc::new(Server { device, state: Mutex::new(state) });
    let kernel = server.clone();
    std::thread::spawn(move || kernel.listen());
    server.obey(test);
    std::process::exit(0)
}

/// The file `f` and what is known of requests.
struct State {
    bytes: Vec<u8>,
    held: Option<u32>,
    /// Of so many bytes blocks are asked for without an interruption.
    most: u32,
    /// Requests that wait.
    waiting: Vec<Vec<u8>>,
    counts: HashMap<u32, u64>,
    locks: Vec<Lock>,
}

/// A lock on a range, whose last byte is in it.
#[derive(Clone, Copy)]
struct Lock {
    owner: u64,
    first: u64,
    last: u64,
    kind: u32,
}

struct Server {
    device: File,
    state: Mutex<State>,
}

const ROOT: u64 = 1;
const FILE: u64 = 2;

impl Server {
    /// Does what the test says, until there is no more test.
    fn obey(&self, test: File) {
        let mut answers = test.try_clone().expect("a descriptor");
        for line in BufReader::new(test).lines().map_while(Result::ok) {
            let (verb, number) = line.split_once(' ').unwrap_or((&line, "0"));
            let number: u32 = number.parse().expect("a number");
            let mut state = self.state.lock().expect("nobody panics with it");
            let answer = match verb {
                "hold" => {
                    state.held = Some(number);
                    0
                }
                "release" => {
                    state.held = None;
                    for request in mem::take(&mut state.waiting) {
                        self.answer(&request, &mut state);
                    }
                    0
                }
                "interrupt" => {
                    state.most = number;
                    0
                }
                "waiting" => state.waiting.len() as u64,
                "count" => state.counts.get(&number).copied().unwrap_or(0),
                "length" => state.bytes.len() as u64,
                other => panic!("what is {other}?"),
            };
            writeln!(answers, "{answer}").expect("the test listens");
        }
    }

    /// Serves the kernel until it is unmounted.
    fn listen(&self) {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(length) = (&self.device).read(&mut buffer) {
            let request = &buffer[..length];
            let mut state = self.state.lock().expect("nobody panics with it");
            let operation = u32_at(request, 4);
            *state.counts.entry(operation).or_default() += 1;
            if state.held == Some(operation) {
                state.waiting.push(request.to_vec());
            } else {
                self.answer(request, &mut state);
            }
        }
    }

    fn answer(&self, request: &[u8], state: &mut State) {
        let unique = u64_at(request, 8);
        let (error, body) = match reply(request, state) {
            Some(Ok(body)) => (0, body),
            Some(Err(errno)) => (-errno, Vec::new()),
            None => return,
        };
        let mut answer = Vec::new();
        answer.extend((16 + body.len() as u32).to_ne_bytes());
        answer.extend(error.to_ne_bytes());
        answer.extend(unique.to_ne_bytes());
        answer.extend(body);
        // The one who asked may be gone.
        _ = (&self.device).write(&answer);
    }
}

/// What a request is answered, if at all.
fn reply(request: &[u8], state: &mut State) -> Option<Result<Vec<u8>, i32>> {
    let (operation, node, body) = (u32_at(request, 4), u64_at(request, 16), &request[40..]);
    let mut out = Vec::new();
    match operation {
        // LOOKUP, of a name that ends in zero
        1 if node == ROOT && body == b"f\0" => {
            out.extend(FILE.to_ne_bytes());
            // No generation; the name is asked for each time, attributes are ours alone.
            out.extend([0; 16]);
            out.extend(u64::from(u16::MAX).to_ne_bytes());
            out.extend([0; 8]);
            out.extend(attributes(FILE, state));
        }
        1 => return Some(Err(libc::ENOENT)),
        // FORGET, INTERRUPT, BATCH_FORGET
        2 | 36 | 42 => return None,
        // GETATTR, SETATTR
        3 | 4 => {
            const SIZE: u32 = 1 << 3;
            if operation == 4 && u32_at(body, 0) & SIZE != 0 {
                state.bytes.resize(u64_at(body, 16) as usize, 0);
            }
            out.extend(u64::from(u16::MAX).to_ne_bytes());
            out.extend([0; 8]);
            out.extend(attributes(node, state));
        }
        // OPEN, OPENDIR
        14 | 27 => out.extend([0; 16]),
        // READ
        15 => {
            let (offset, size) = (u64_at(body, 8) as usize, u32_at(body, 16) as usize);
            let length = state.bytes.len();
            out.extend(&state.bytes[offset.min(length)..(offset + size).min(length)]);
        }
        // WRITE
        16 => {
            let (offset, size) = (u64_at(body, 8) as usize, u32_at(body, 16));
            let data = &body[40..][..size as usize];
            let end = offset + data.len();
            if end > state.bytes.len() {
                state.bytes.resize(end, 0);
            }
            state.bytes[offset..end].copy_from_slice(data);
            out.extend(size.to_ne_bytes());
            out.extend([0; 4]);
        }
        // STATFS: much room
        17 => {
            for number in [1u64 << 30, 1 << 29, 1 << 29, 1 << 20, 1 << 19] {
                out.extend(number.to_ne_bytes());
            }
            for number in [4096u32, 255, 4096] {
                out.extend(number.to_ne_bytes());
            }
            out.extend([0; 28]);
        }
        // RELEASE, FSYNC, FLUSH, READDIR, RELEASEDIR, FSYNCDIR
        18 | 20 | 25 | 28 | 29 | 30 => {}
        // INIT: version 7.31, and writes of this size. Of the options two: that pages are asked for
        // by nobody in particular, or else who waits for one can't be killed; and that locks are asked for.
        26 => {
            const ASYNC_READ: u32 = 1;
            const POSIX_LOCKS: u32 = 1 << 1;
            for number in [7u32, 31, 128 << 10, ASYNC_READ | POSIX_LOCKS] {
                out.extend(number.to_ne_bytes());
            }
            for number in [16u16, 12] {
                out.extend(number.to_ne_bytes());
            }
            for number in [128u32 << 10, 1] {
                out.extend(number.to_ne_bytes());
            }
            out.resize(64, 0);
        }
        // GETLK, SETLK: the kernel asks again where one is waited for.
        31 | 32 => {
            let (first, last) = (u64_at(body, 16), u64_at(body, 24));
            let wanted = Lock { owner: u64_at(body, 8), first, last, kind: u32_at(body, 32) };
            let other = state.locks.iter().copied().find(|lock| lock.excludes(&wanted));
            if operation == 31 {
                let Lock { first, last, kind, .. } = other.unwrap_or(Lock { kind: FREE, ..wanted });
                for number in [first, last, kind.into()] {
                    out.extend(number.to_ne_bytes());
                }
            } else if other.is_some() {
                return Some(Err(libc::EAGAIN));
            } else {
                state.locks = state.locks.iter().flat_map(|lock| lock.without(&wanted)).collect();
                state.locks.extend((wanted.kind != FREE).then_some(wanted));
            }
        }
        // FALLOCATE: behind the end, and holes. Blocks in the middle it can't allocate.
        43 => {
            const HOLE: u32 = (libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE) as u32;
            let (offset, size) = (u64_at(body, 8) as usize, u64_at(body, 16));
            let (end, length) = (offset + size as usize, state.bytes.len());
            match u32_at(body, 24) {
                _ if size > state.most.into() => return Some(Err(libc::EINTR)),
                0 => state.bytes.resize(end.max(length), 0),
                HOLE => state.bytes[offset.min(length)..end.min(length)].fill(0),
                _ => return Some(Err(libc::EOPNOTSUPP)),
            }
        }
        _ => return Some(Err(libc::ENOSYS)),
    }
    Some(Ok(out))
}

/// Of a lock: there is none.
const FREE: u32 = libc::F_UNLCK as u32;

impl Lock {
    fn meets(&self, other: &Lock) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    fn excludes(&self, other: &Lock) -> bool {
        let writes = libc::F_WRLCK as u32;
        let matters = other.kind != FREE && (self.kind == writes || other.kind == writes);
        self.owner != other.owner && matters && self.meets(other)
    }

    /// What its owner has of it still after asking for another one, or giving that back.
    fn without(self, other: &Lock) -> Vec<Lock> {
        if self.owner != other.owner || !self.meets(other) {
            return vec![self];
        }
        let before = (self.first < other.first).then(|| Lock { last: other.first - 1, ..self });
        let behind = (self.last > other.last).then(|| Lock { first: other.last + 1, ..self });
        before.into_iter().chain(behind).collect()
    }
}

/// `struct fuse_attr`.
fn attributes(node: u64, state: &State) -> Vec<u8> {
    let (mode, size) = match node {
        FILE => (libc::S_IFREG | 0o666, state.bytes.len() as u64),
        _ => (libc::S_IFDIR | 0o777, 0),
    };
    let mut out = Vec::new();
    for number in [node, size, size.div_ceil(512), 0, 0, 0] {
        out.extend(number.to_ne_bytes());
    }
    // SAFETY: they only ask.
    let (user, group) = unsafe { (libc::getuid(), libc::getgid()) };
    for number in [0, 0, 0, mode, 1, user, group, 0, 4096, 0] {
        out.extend(number.to_ne_bytes());
    }
    out
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
