//! A file system that stops answering: a server of FUSE's protocol that answers for the start of
//! its one file, and for the rest of it never.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::thread;

/// How much of the file is answered for, and how long it is.
const ANSWERED: u64 = 1 << 20;
pub(crate) const LENGTH: u64 = 16 << 20;

/// The file system, with `hangs` in it, until it is dropped.
pub(crate) struct Hung {
    directory: tempfile::TempDir,
    server: Option<thread::JoinHandle<()>>,
}

impl Hung {
    /// Mounts it. Not everybody may: the reason why not is what a test that is skipped says.
    pub(crate) fn mount() -> Result<Hung, String> {
        let refused = |error: io::Error| format!("no file system can be mounted by FUSE: {error}");
        let device =
            OpenOptions::new().read(true).write(true).open("/dev/fuse").map_err(refused)?;
        let directory = tempfile::tempdir().map_err(refused)?;
        let target = path(directory.path());
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let options = CString::new(options).expect("no zero");
        // SAFETY: All are strings that end with a zero, and live until it returns.
        let mounted = unsafe {
            libc::mount(
                c"iommap-tests".as_ptr(),
                target.as_ptr(),
                c"fuse".as_ptr(),
                libc::MS_NOSUID | libc::MS_NODEV,
                options.as_ptr().cast(),
            )
        };
        if mounted != 0 {
            return Err(refused(io::Error::last_os_error()));
        }
        let server = thread::spawn(move || serve(&device));
        Ok(Hung { directory, server: Some(server) })
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        // The server reads an error then and closes its device, and whoever waits is told.
        let target = path(self.directory.path());
        // SAFETY: It is a string that ends with a zero.
        unsafe { libc::umount2(target.as_ptr(), libc::MNT_FORCE | libc::MNT_DETACH) };
        if let Some(server) = self.server.take() {
            _ = server.join();
        }
    }
}

fn path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_encoded_bytes()).expect("no zero")
}

/// The requests that matter here, by their numbers in `linux/fuse.h`.
mod opcode {
    pub(super) const LOOKUP: u32 = 1;
    pub(super) const FORGET: u32 = 2;
    pub(super) const GETATTR: u32 = 3;
    pub(super) const OPEN: u32 = 14;
    pub(super) const READ: u32 = 15;
    pub(super) const STATFS: u32 = 17;
    pub(super) const RELEASE: u32 = 18;
    pub(super) const FLUSH: u32 = 25;
    pub(super) const INIT: u32 = 26;
    pub(super) const OPENDIR: u32 = 27;
    pub(super) const READDIR: u32 = 28;
    pub(super) const RELEASEDIR: u32 = 29;
    pub(super) const INTERRUPT: u32 = 36;
    pub(super) const BATCH_FORGET: u32 = 42;
}

const ROOT: u64 = 1;
const FILE: u64 = 2;

/// Answers until the file system is gone.
fn serve(mut device: &File) {
    let mut request = vec![0; 1 << 20];
    loop {
        let length = match device.read(&mut request) {
            Ok(length) => length,
            // The request was taken back.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(_) => return,
        };
        let number = |at: usize| u64::from_ne_bytes(request[at..at + 8].try_into().expect("8"));
        let (code, unique, node) = ((number(0) >> 32) as u32, number(8), number(16));
        let body = &request[40..length];
        let answer = match code {
            opcode::FORGET | opcode::BATCH_FORGET | opcode::INTERRUPT => continue,
            // Version 7.31; reads go on beside each other.
            opcode::INIT => Ok(words(&[7, 31, 128 << 10, 1, 12 | 10 << 16, 128 << 10, 1, 0], 64)),
            opcode::LOOKUP if body.starts_with(b"hangs\0") => {
                let entry = words(&[FILE as u32, 0, 0, 0, 3600, 0, 3600, 0, 0, 0], 40);
                Ok([entry, attributes(FILE)].concat())
            }
            opcode::LOOKUP => Err(libc::ENOENT),
            opcode::GETATTR => Ok([words(&[3600, 0, 0, 0], 16), attributes(node)].concat()),
            opcode::OPEN | opcode::OPENDIR => Ok(vec![0; 16]),
            opcode::READ => {
                let offset = number(48);
                let size = number(56) & 0xffff_ffff;
                if offset + size > ANSWERED {
                    continue;
                }
                Ok(vec![b'.'; size as usize])
            }
            opcode::READDIR | opcode::RELEASE | opcode::RELEASEDIR | opcode::FLUSH => Ok(vec![]),
            opcode::STATFS => Ok(vec![0; 80]),
            _ => Err(libc::ENOSYS),
        };
        let (error, body) = match answer {
            Ok(body) => (0, body),
            Err(error) => (-error, vec![]),
        };
        let mut reply = words(&[16 + body.len() as u32, error as u32], 8);
        reply.extend(unique.to_ne_bytes());
        reply.extend(body);
        // Nobody waits for it any more, if that fails.
        _ = device.write_all(&reply);
    }
}

/// What `stat` is to say of the directory or the file.
fn attributes(node: u64) -> Vec<u8> {
    let (mode, length) = match node {
        ROOT => (libc::S_IFDIR | 0o755, 0),
        _ => (libc::S_IFREG | 0o644, LENGTH),
    };
    let mut bytes = Vec::new();
    for number in [node, length, length / 512, 0, 0, 0] {
        bytes.extend(number.to_ne_bytes());
    }
    bytes.extend(words(&[0, 0, 0, mode, 1, 0, 0, 0, 4096, 0], 40));
    bytes
}

/// Numbers of 32 bits, with zeros behind them up to a length.
fn words(numbers: &[u32], length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
    bytes.resize(length, 0);
    bytes
}
