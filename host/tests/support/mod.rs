//! What the native tests share: a granted directory, and ways to do in a child process what
//! may crash or change the whole process.

// Each test file compiles this for itself and uses a part of it.
#![allow(dead_code, unused_imports, unused_macros)]

use iommap::{AccessMode, Account, Error, FsPerms, Grants, Limits, Mapping, OpenOptions};
use std::any::type_name;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tempfile::TempDir;

/// Far more than anything here takes: reached only by what hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const READ: OpenOptions = plain(AccessMode::Read);
pub(crate) const WRITE: OpenOptions = plain(AccessMode::Write);
pub(crate) const READ_WRITE: OpenOptions = plain(AccessMode::ReadWrite);
pub(crate) const CREATE: OpenOptions = OpenOptions { create: true, ..READ_WRITE };
pub(crate) const TRUNCATE: OpenOptions = OpenOptions { truncate: true, ..READ_WRITE };
pub(crate) const PRIVATE: OpenOptions = OpenOptions { private: true, ..READ_WRITE };

/// `OpenOptions::new` is not `const`.
const fn plain(access: AccessMode) -> OpenOptions {
    OpenOptions {
        access,
        shared: false,
        private: false,
        lock: false,
        populate: false,
        nocache: false,
        create: false,
        truncate: false,
        exclusive: false,
        size: None,
    }
}

pub(crate) fn page() -> u64 {
    rustix::param::page_size() as u64
}

/// Bytes that are never zero and differ from page to page and from place to place.
pub(crate) fn pattern(length: u64) -> Vec<u8> {
    (0..length)
        .map(|at| (at % 251 + 1) as u8 ^ (at / page()) as u8)
        .map(|byte| byte.max(1))
        .collect()
}

/// A directory of the host, granted as `/d`, and the account of one store.
pub(crate) struct World {
    root: PathBuf,
    pub(crate) grants: Grants,
    pub(crate) account: Arc<Account>,
    _dir: Option<TempDir>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(Limits::default(), FsPerms::ReadWrite)
    }

    pub(crate) fn limited(limits: Limits) -> World {
        World::with(limits, FsPerms::ReadWrite)
    }

    pub(crate) fn read_only() -> World {
        World::with(Limits::default(), FsPerms::ReadOnly)
    }

    fn with(limits: Limits, perms: FsPerms) -> World {
        let dir = TempDir::new().unwrap();
        let mut world = World::at(dir.path(), limits, perms);
        world._dir = Some(dir);
        world
    }

    /// Grants a directory that is there already.
    pub(crate) fn at(root: &Path, limits: Limits, perms: FsPerms) -> World {
        let root = root.canonicalize().unwrap();
        let mut grants = Grants::default();
        grants.preopened_dir(&root, "/d", perms).unwrap();
        World { root, grants, account: Account::new(limits), _dir: None }
    }

    /// The host's path of a file in the granted directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).unwrap();
        path
    }

    /// A file of zeros that has no blocks.
    pub(crate) fn sparse(&self, name: &str, length: u64) -> PathBuf {
        let path = self.path(name);
        fs::File::create(&path).unwrap().set_len(length).unwrap();
        path
    }

    pub(crate) fn contents(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn length(&self, name: &str) -> u64 {
        fs::metadata(self.path(name)).unwrap().len()
    }

    /// What another process does to a file: makes it this long.
    pub(crate) fn set_length(&self, name: &str, length: u64) {
        let file = fs::OpenOptions::new().write(true).open(self.path(name)).unwrap();
        file.set_len(length).unwrap();
    }

    /// Bytes that a file has on the disk.
    pub(crate) fn allocated(&self, name: &str) -> u64 {
        fs::metadata(self.path(name)).unwrap().blocks() * 512
    }

    /// The names in the granted directory.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.root).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn open(&self, name: &str, options: &OpenOptions) -> Result<Mapping, Error> {
        Mapping::open(&self.grants, &self.account, &format!("/d/{name}"), options)
    }

    pub(crate) fn map(&self, name: &str, options: &OpenOptions) -> Mapping {
        self.open(name, options).unwrap_or_else(|error| panic!("{name}: {error}: {options:?}"))
    }

    /// Why a file is not opened.
    #[track_caller]
    pub(crate) fn refused(&self, name: &str, options: &OpenOptions) -> Error {
        match self.open(name, options) {
            Err(error) => error,
            Ok(_) => panic!("{name:?} was opened: {options:?}"),
        }
    }

    /// Nothing of the store's allowance is in use.
    #[track_caller]
    pub(crate) fn assert_idle(&self) {
        let used = self.account.counters();
        assert_eq!((used.mappings, used.mapped_bytes, used.locked_bytes), (0, 0, 0), "{used:?}");
    }
}

/// All of a mapping's bytes.
#[track_caller]
pub(crate) fn all(mapping: &Mapping) -> Vec<u8> {
    bytes(mapping, 0, mapping.position().unwrap())
}

#[track_caller]
pub(crate) fn bytes(mapping: &Mapping, offset: u64, length: u64) -> Vec<u8> {
    let mut target = vec![0xee; length as usize];
    mapping.pread(offset, &mut target).unwrap();
    target
}

/// As `assert_eq!`, but says of long bytes only where they differ.
macro_rules! assert_same {
    ($found:expr, $expected:expr $(, $($what:tt)+)?) => {
        assert_eq!(
            support::difference(($found).as_ref(), ($expected).as_ref()),
            None
            $(, $($what)+)?
        )
    };
}
pub(crate) use assert_same;

/// Where two byte strings differ first, or in what lengths.
pub(crate) fn difference(found: &[u8], expected: &[u8]) -> Option<String> {
    if let Some(at) = found.iter().zip(expected).position(|(found, expected)| found != expected) {
        return Some(format!("at {at}: {} instead of {}", found[at], expected[at]));
    }
    let lengths = (found.len(), expected.len());
    (lengths.0 != lengths.1).then(|| format!("{} bytes instead of {}", lengths.0, lengths.1))
}

/// The file descriptors of this process that are open on a path.
pub(crate) fn descriptors(path: &Path) -> Vec<u32> {
    let entries = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap());
    entries
        // Those that others close meanwhile have no target any more.
        .filter(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == path))
        .map(|entry| entry.file_name().to_str().unwrap().parse().unwrap())
        .collect()
}

/// How many ranges of this process's address space map a path.
pub(crate) fn mapped_ranges(path: &Path) -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.ends_with(path.to_str().unwrap())).count()
}

/// A line of `/proc/self/status` in bytes: `VmLck`, `VmSize`.
pub(crate) fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    kibibytes(status.lines(), name)
}

/// A line of `/proc/self/smaps` in bytes, for the range that maps a path: `Rss`, `Locked`.
pub(crate) fn smaps(path: &Path, name: &str) -> u64 {
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
    kibibytes(smaps.lines().skip_while(|line| !line.ends_with(path.to_str().unwrap())), name)
}

fn kibibytes<'a>(mut lines: impl Iterator<Item = &'a str>, name: &str) -> u64 {
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    value.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

/// Runs what might wait for ever on a thread of its own, for a bounded time.
#[track_caller]
pub(crate) fn bounded<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::channel();
    let worker = std::thread::spawn(move || done.send(work()));
    match result.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(worker.join().unwrap_err())
        }
    }
}

const CHILD: &str = "IOMMAP_TEST_CHILD";
const CHILD_ENDED: &str = "the child came to its end";

/// Runs the body of a test in a process of its own: a crash is a failed test, and what the body
/// does to the process (limits, user, umask) concerns no other test. To be called by a test
/// function with a closure of its own.
#[track_caller]
pub(crate) fn in_child<F: FnOnce()>(body: F) {
    child::<F>(|_| {}, body);
}

/// As [`in_child`], with a small tmpfs that nobody else sees.
#[track_caller]
pub(crate) fn on_small_disk<F: FnOnce(&Path)>(bytes: u64, body: F) {
    let disk = TempDir::new().unwrap();
    if !may_mount(disk.path(), bytes) {
        println!("skipped: a tmpfs can't be mounted here: {}", test_name::<F>());
        return;
    }
    // In the child this directory is not the one of its parent, which comes by the environment.
    let root = std::env::var_os("IOMMAP_TEST_DISK").map_or(disk.path().to_owned(), PathBuf::from);
    child::<F>(
        |command| {
            command.env("IOMMAP_TEST_DISK", disk.path());
            mount_in(command, disk.path(), bytes);
        },
        || body(&root),
    );
}

fn child<F>(prepare: impl FnOnce(&mut Command), body: impl FnOnce()) {
    let name = test_name::<F>();
    if std::env::var_os(CHILD).is_some_and(|child| child == *name) {
        body();
        println!("{CHILD_ENDED}");
        return;
    }
    // What a crashed child leaves behind goes with this.
    let scratch = TempDir::new().unwrap();
    let mut command = this_program();
    command
        .args(["--exact", &name, "--nocapture", "--test-threads=1"])
        .env(CHILD, &name)
        .env("TMPDIR", scratch.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    prepare(&mut command);
    let child = command.spawn().unwrap();
    let id = child.id();
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    let Ok(output) = result.recv_timeout(PATIENCE) else {
        // SAFETY: kill has no preconditions; the child has not been waited for, so the id is its.
        unsafe { libc::kill(id as i32, libc::SIGKILL) };
        panic!("{name}: the child hangs");
    };
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains(CHILD_ENDED),
        "{name}: child: {} (signal {:?})\n{said}\n{complained}",
        output.status,
        output.status.signal(),
    );
    for line in said.lines().filter(|line| line.starts_with("skipped")) {
        println!("{line}");
    }
}

/// This test program, to be run once more. What emulates its processor, if anything does, has to
/// be told so: the kernel doesn't know.
pub(crate) fn this_program() -> Command {
    let program = std::env::current_exe().unwrap();
    let Ok(runner) = std::env::var("IOMMAP_TEST_RUNNER") else { return Command::new(program) };
    let mut words = runner.split_whitespace();
    let mut command = Command::new(words.next().expect("a runner"));
    command.args(words).arg(program);
    command
}

/// The name of the test whose closure this is: `binary::test::{{closure}}`.
fn test_name<F>() -> String {
    let name = type_name::<F>();
    let name = name.split_once("::").expect("a closure in a test").1;
    name.split("::{{closure}}").next().unwrap().to_owned()
}

/// Can a process get a mount of its own here?
fn may_mount(target: &Path, bytes: u64) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let mut command = Command::new("true");
    mount_in(&mut command, target, bytes);
    command.status().is_ok_and(|status| status.success())
}

/// Makes a command start in a mount namespace of its own with a tmpfs at `target`; without root
/// in a user namespace too.
fn mount_in(command: &mut Command, target: &Path, bytes: u64) {
    // SAFETY: neither call has preconditions.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    let identity = (user != 0).then(|| {
        [
            (c"/proc/self/setgroups", "deny".to_owned()),
            (c"/proc/self/uid_map", format!("0 {user} 1")),
            (c"/proc/self/gid_map", format!("0 {group} 1")),
        ]
    });
    let target = CString::new(target.as_os_str().as_bytes()).unwrap();
    let size = CString::new(format!("size={bytes},mode=0777")).unwrap();
    let enter = move || {
        let flags = libc::CLONE_NEWNS | if identity.is_some() { libc::CLONE_NEWUSER } else { 0 };
        // SAFETY: the process is a fresh child with one thread.
        succeeded(unsafe { libc::unshare(flags) })?;
        for (path, text) in identity.iter().flatten() {
            // SAFETY: `path` is a C string; the descriptor is new and closed by `exec`.
            let file = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
            succeeded(file)?;
            // SAFETY: `text` has as many bytes as are written.
            let written = unsafe { libc::write(file, text.as_ptr().cast(), text.len()) };
            succeeded(written as i32)?;
        }
        let none = std::ptr::null();
        let private = libc::MS_REC | libc::MS_PRIVATE;
        // SAFETY: all pointers are C strings or null where mount(2) allows it.
        succeeded(unsafe { libc::mount(none, c"/".as_ptr(), none, private, none.cast()) })?;
        let tmpfs = c"tmpfs".as_ptr();
        // SAFETY: as above.
        succeeded(unsafe { libc::mount(tmpfs, target.as_ptr(), tmpfs, 0, size.as_ptr().cast()) })
    };
    // SAFETY: the closure makes system calls only and allocates nothing.
    unsafe { command.pre_exec(enter) };
}

fn succeeded(returned: i32) -> io::Result<()> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Does something without root's privileges. In a child only: they are the whole process's.
pub(crate) fn as_nobody<R>(work: impl FnOnce() -> R) -> R {
    let become_user = |user| {
        // SAFETY: seteuid has no preconditions.
        succeeded(unsafe { libc::seteuid(user) }).unwrap();
    };
    // SAFETY: geteuid has no preconditions.
    let before = unsafe { libc::geteuid() };
    if before != 0 {
        return work();
    }
    become_user(65534);
    let result = work();
    become_user(before);
    result
}

/// Makes the system call `openat2` fail as on a kernel that does not know it, or in a sandbox
/// that forbids it, for the rest of this thread's life. In a child only.
pub(crate) fn without_openat2(errno: i32) {
    // Load the number of the call; if it is openat2's, fail; else allow.
    let program = [
        bpf(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        bpf(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_openat2 as u32),
        bpf(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        bpf(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program =
        libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: the arguments are those that prctl(2) asks for.
    succeeded(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).unwrap();
    // SAFETY: `program` and its filter live through the call, which copies and does not change
    // them.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
    succeeded(set).unwrap();
}

fn bpf(code: u32, yes: u8, no: u8, value: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: yes, jf: no, k: value }
}

/// Sets one of the process's limits while something is done. In a child only.
pub(crate) fn with_rlimit<R>(
    resource: libc::__rlimit_resource_t,
    limit: u64,
    work: impl FnOnce() -> R,
) -> R {
    // Of 64 bits, in programs of 32 bits too.
    let mut before = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `before` is a valid rlimit to write to.
    succeeded(unsafe { libc::getrlimit64(resource, &mut before) }).unwrap();
    let lowered = libc::rlimit64 { rlim_cur: limit.min(before.rlim_max), ..before };
    // SAFETY: `lowered` is a valid rlimit.
    succeeded(unsafe { libc::setrlimit64(resource, &lowered) }).unwrap();
    let result = work();
    // SAFETY: `before` is a valid rlimit.
    succeeded(unsafe { libc::setrlimit64(resource, &before) }).unwrap();
    result
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
