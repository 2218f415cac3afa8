//! A file system with a database in it that stops answering when told to: FUSE, served by the test
//! itself.

use crate::scene::database;
use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation,
    INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEntry, Request,
};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

const FILE: INodeNo = INodeNo(2);

/// The file system, mounted for as long as this is kept.
pub(crate) struct Mounted {
    shared: Arc<Shared>,
    // Unmounted before its directory goes.
    _session: BackgroundSession,
    directory: TempDir,
}

struct Shared {
    content: Vec<u8>,
    hangs: AtomicBool,
    unanswered: Mutex<Vec<Unanswered>>,
}

/// Whoever waits for one of these waits until it is dropped.
enum Unanswered {
    Lookup(#[expect(dead_code, reason = "it is only kept")] ReplyEntry),
    Read(#[expect(dead_code, reason = "it is only kept")] ReplyData),
}

impl Mounted {
    /// `None` where it can't be mounted, as without root.
    pub(crate) fn new() -> Option<Mounted> {
        let directory = TempDir::new().expect("a directory");
        let shared = Arc::new(Shared {
            content: database("AA"),
            hangs: AtomicBool::new(false),
            unanswered: Mutex::default(),
        });
        let mut config = Config::default();
        config.mount_options = vec![MountOption::RO, MountOption::FSName("hangs".to_owned())];
        match fuser::spawn_mount2(Hangs(shared.clone()), directory.path(), &config) {
            Ok(session) => Some(Mounted { shared, _session: session, directory }),
            Err(error) => {
                println!("skipped: no file system can be mounted here: {error}");
                None
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn stop_answering(&self) {
        self.shared.hangs.store(true, SeqCst);
    }

    /// Answers again: whoever waited goes on.
    pub(crate) fn answer(&self) {
        self.shared.hangs.store(false, SeqCst);
        self.shared.unanswered.lock().unwrap().clear();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.answer();
    }
}

struct Hangs(Arc<Shared>);

impl Hangs {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let (kind, perm, size) = match inode {
            FILE => (FileType::RegularFile, 0o444, self.0.content.len() as u64),
            _ => (FileType::Directory, 0o555, 0),
        };
        FileAttr {
            ino: inode,
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }

    fn hangs(&self) -> bool {
        self.0.hangs.load(SeqCst)
    }
}

impl Filesystem for Hangs {
    fn lookup(&self, _request: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if self.hangs() {
            self.0.unanswered.lock().unwrap().push(Unanswered::Lookup(reply));
        } else if name == "country.mmdb" {
            // Asked for anew each time.
            reply.entry(&Duration::ZERO, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        reply.attr(&Duration::ZERO, &self.attributes(inode));
    }

    fn read(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        if self.hangs() {
            self.0.unanswered.lock().unwrap().push(Unanswered::Read(reply));
            return;
        }
        let content = &self.0.content;
        let start = content.len().min(offset as usize);
        let end = content.len().min(start + size as usize);
        reply.data(&content[start..end]);
    }
}
