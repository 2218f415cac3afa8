//! inotify: one instance for the process, since a user has few of them, and a thread that reads it.
//!
//! What is watched is the file that is open, by its descriptor, and no path: nothing outside of a
//! grant is ever named. Renaming another file over it changes its number of links, which is an event
//! of the file's own. inotify tells neither of writes through mappings nor of other machines: who
//! waits looks now and then in any case.

use crate::mapping::lock::Signal;
use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init, remove_watch};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

/// How long the thread stays when nobody waits any more, in milliseconds.
const IDLE: i32 = 1000;

/// Those who wait for a change of one file.
type Waiters = Vec<Weak<Signal>>;

/// The instance, and who waits by the number of the watch. The kernel has one watch for each file.
#[derive(Debug)]
struct Instance {
    inotify: Arc<OwnedFd>,
    waiters: HashMap<i32, Waiters>,
}

static INSTANCE: Mutex<Option<Instance>> = Mutex::new(None);

/// Somebody is told of changes of a file, until this is dropped.
#[derive(Debug)]
pub(in super::super) struct Watch {
    /// Of this instance, the one of the process or one before it.
    inotify: Arc<OwnedFd>,
    number: i32,
    signal: Arc<Signal>,
}

impl Watch {
    /// `None` where the system has no watch left: then the pauses have to do.
    pub(in super::super) fn new(file: &File, signal: &Arc<Signal>) -> Option<Watch> {
        let mut instance = lock();
        let Instance { inotify, waiters } = match &mut *instance {
            Some(instance) => instance,
            none => none.insert(Instance::begin()?),
        };
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let events = WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::MOVE_SELF
            | WatchFlags::DELETE_SELF;
        let number = add_watch(&**inotify, path, events).ok()?;
        waiters.entry(number).or_default().push(Arc::downgrade(signal));
        Some(Watch { inotify: inotify.clone(), number, signal: signal.clone() })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut instance = lock();
        let Some(Instance { inotify, waiters }) = &mut *instance else { return };
        if !Arc::ptr_eq(inotify, &self.inotify) {
            return;
        }
        let Some(those) = waiters.get_mut(&self.number) else { return };
        let one = Arc::downgrade(&self.signal);
        those.retain(|other| !other.ptr_eq(&one));
        if those.is_empty() {
            waiters.remove(&self.number);
            // The kernel has taken it off itself if the file is gone for good.
            let _ = remove_watch(&**inotify, self.number);
        }
    }
}

impl Instance {
    fn begin() -> Option<Instance> {
        let inotify = Arc::new(init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?);
        let read = inotify.clone();
        let reader = thread::Builder::new().name("iommap-changes".into());
        reader.spawn(move || keep(&read)).ok()?;
        Some(Instance { inotify, waiters: HashMap::new() })
    }

    /// Who waits by a watch; all of them, where events were lost.
    fn of(&self, number: i32) -> Vec<Arc<Signal>> {
        let those = match number {
            -1 => self.waiters.values().flatten().collect(),
            number => self.waiters.get(&number).into_iter().flatten().collect::<Vec<_>>(),
        };
        those.into_iter().filter_map(Weak::upgrade).collect()
    }
}

/// The thread: wakes whoever waits for a file of which there is an event, and ends when nobody has
/// waited for a while.
fn keep(inotify: &Arc<OwnedFd>) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = Reader::new(&**inotify, &mut buffer);
    loop {
        let number = match reader.next() {
            Ok(event) => event.wd(),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) if is_ready(inotify) => continue,
            Err(_) => {
                let mut instance = lock();
                if instance.as_ref().is_some_and(|instance| instance.waiters.is_empty()) {
                    *instance = None;
                    return;
                }
                continue;
            }
        };
        let woken = lock().as_ref().map_or_else(Vec::new, |instance| instance.of(number));
        // A waker is somebody else's code: nothing is locked, and one that panics has been told.
        for signal in woken {
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| signal.wake()));
        }
    }
}

/// Waits for an event, for a while at most.
fn is_ready(inotify: &OwnedFd) -> bool {
    let mut one = libc::pollfd { fd: inotify.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one struct, which the call may write to, of a descriptor that is open.
    let ready = unsafe { libc::poll(&mut one, 1, IDLE) };
    ready > 0
}

/// What is locked here is changed by single calls of a map's.
fn lock() -> MutexGuard<'static, Option<Instance>> {
    INSTANCE.lock().unwrap_or_else(PoisonError::into_inner)
}
