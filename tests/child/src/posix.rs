//! Another process, which has POSIX locks of `fcntl(2)` on a file, as native programs have.

use std::ffi::CString;
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What it is to have on a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Nothing.
    None,
    /// What others may have too (`F_RDLCK`).
    Shared,
    /// What nobody else may have (`F_WRLCK`).
    Exclusive,
}

/// The process. It ends when this is dropped.
#[derive(Debug)]
pub struct Posix {
    process: libc::pid_t,
    asks: PipeWriter,
    answers: PipeReader,
}

/// The lock, where it starts and how long it is, as numbers of 8 bytes each.
const QUESTION: usize = 24;

impl Posix {
    /// Starts it, with the file open. It has copies of all descriptors of this process, so it is
    /// started before there are any that matter, in a process that starts no other meanwhile.
    pub fn start(path: &Path) -> Posix {
        let path = CString::new(path.as_os_str().as_bytes()).expect("a path");
        let (questions, asks) = pipe().expect("a pipe");
        let (answers, says) = pipe().expect("a pipe");
        // SAFETY: the child makes system calls only.
        let process = unsafe { libc::fork() };
        assert!(process >= 0, "no child");
        if process == 0 {
            drop((asks, answers));
            serve(&path, questions, says);
        }
        Posix { process, asks, answers }
    }

    /// Asks for a lock, and tells whether it has that now. Length 0 is to the end.
    pub fn set(&mut self, start: u64, length: u64, lock: Lock) -> bool {
        let numbers = [lock as u64, start, length].map(u64::to_ne_bytes);
        self.asks.write_all(numbers.as_flattened()).expect("a process that listens");
        let mut answer = [0];
        self.answers.read_exact(&mut answer).expect("an answer");
        assert_ne!(answer[0], b'!', "it is no matter of who has what");
        answer[0] == b'+'
    }

    /// Kills it, as something unforeseen might.
    pub fn kill(self) {}
}

impl Drop for Posix {
    fn drop(&mut self) {
        // SAFETY: it is a child, which nobody has waited for.
        unsafe {
            libc::kill(self.process, libc::SIGKILL);
            libc::waitpid(self.process, std::ptr::null_mut(), 0);
        }
    }
}

/// What the child does. It allocates nothing.
fn serve(path: &CString, mut questions: PipeReader, mut says: PipeWriter) -> ! {
    // SAFETY: a path.
    let file = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
    let mut question = [0; QUESTION];
    while file >= 0 && questions.read_exact(&mut question).is_ok() {
        let number =
            |at: usize| question[at..].first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
        // SAFETY: it is made of numbers only, of which 0 is one.
        let mut lock: libc::flock = unsafe { MaybeUninit::zeroed().assume_init() };
        lock.l_type = [libc::F_UNLCK, libc::F_RDLCK, libc::F_WRLCK][number(0) as usize % 3] as _;
        lock.l_start = number(8) as _;
        lock.l_len = number(16) as _;
        // SAFETY: an open file, and what the command reads.
        let done = unsafe { libc::fcntl(file, libc::F_SETLK, &raw mut lock) };
        let error = std::io::Error::last_os_error().raw_os_error();
        let answer = match (done, error) {
            (0, _) => b"+",
            (_, Some(libc::EAGAIN | libc::EACCES)) => b"-",
            _ => b"!",
        };
        if says.write_all(answer).is_err() {
            break;
        }
    }
    // SAFETY: nothing of the parent's is run on the way out.
    unsafe { libc::_exit(1) }
}

/// Does somebody other than this process have POSIX locks, or those of a description, that exclude this?
pub fn is_free(file: &File, start: u64, length: u64) -> bool {
    // SAFETY: it is made of numbers only, of which 0 is one.
    let mut lock: libc::flock = unsafe { MaybeUninit::zeroed().assume_init() };
    lock.l_type = libc::F_WRLCK as _;
    lock.l_start = start as _;
    lock.l_len = length as _;
    // SAFETY: an open file, and what the command reads and writes.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &raw mut lock) };
    assert_eq!(asked, 0, "{}", std::io::Error::last_os_error());
    lock.l_type == libc::F_UNLCK as _
}
