//! inotify: one instance for the process, since a user has few of them, and a thread that reads it.
//!
//! What is watched is the file that is open, by its descriptor, and no path: nothing outside of a
//! grant is ever named. Renaming another file over it changes its number of links, which is an event
//! of the file's own. inotify tells neither of writes through mappings nor of other machines: who
//! waits looks now and then in any case.

use crate::mapping::lock::Signal;
use crate::mapping::process::Own;
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

/// A forked child does not read its parent's.
static INSTANCE: Own<Mutex<Option<Instance>>> = Own::new(Mutex::default);

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
    ///
    /// The call may wait for the file's server, and nothing is locked meanwhile. If the last who waits
    /// for the same file ends just then, the watch that the kernel has is gone with it: the looks have
    /// to do as well.
    pub(in super::super) fn new(file: &File, signal: &Arc<Signal>) -> Option<Watch> {
        let inotify = Instance::now()?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let events = WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::MOVE_SELF
            | WatchFlags::DELETE_SELF;
        let number = add_watch(&*inotify, path, events).ok()?;
        let mut instance = lock();
        // Nobody waited meanwhile, and the thread has ended: this was an instance that nobody reads.
        let Instance { waiters, .. } =
            instance.as_mut().filter(|now| Arc::ptr_eq(&now.inotify, &inotify))?;
        waiters.entry(number).or_default().push(Arc::downgrade(signal));
        Some(Watch { inotify: inotify.clone(), number, signal: signal.clone() })
    }

    /// Strikes it off the list. Was it the last one of its file?
    fn leave(&self) -> bool {
        let mut instance = lock();
        let Some(Instance { inotify, waiters }) = &mut *instance else { return false };
        if !Arc::ptr_eq(inotify, &self.inotify) {
            return false;
        }
        let Some(those) = waiters.get_mut(&self.number) else { return false };
        let one = Arc::downgrade(&self.signal);
        those.retain(|other| !other.ptr_eq(&one));
        those.is_empty() && waiters.remove(&self.number).is_some()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.leave() {
            // Unlocked, since it may let go of the file, which may wait for its server. The kernel has
            // taken the watch off itself if the file is gone for good.
            let _ = remove_watch(&*self.inotify, self.number);
        }
    }
}

impl Instance {
    /// The descriptor of the process's, begun if need be.
    fn now() -> Option<Arc<OwnedFd>> {
        let mut instance = lock();
        let Instance { inotify, .. } = match &mut *instance {
            Some(instance) => instance,
            none => none.insert(Instance::begin()?),
        };
        Some(inotify.clone())
    }

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
    INSTANCE.get().lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::task::{Context, Waker};
    use std::time::{Duration, Instant};

    /// How many watches of an instance the kernel has on a file.
    fn kept(inotify: &OwnedFd, file: &File) -> usize {
        let info = format!("/proc/self/fdinfo/{}", inotify.as_raw_fd());
        let number = format!(" ino:{:x} ", file.metadata().unwrap().ino());
        let info = fs::read_to_string(info).unwrap();
        info.lines().filter(|line| line.starts_with("inotify ") && line.contains(&number)).count()
    }

    #[test]
    fn a_forked_child_is_told_by_an_instance_of_its_own() {
        iommap_child::in_child(|| {
            let file = tempfile::tempfile().unwrap();
            let signals = [(); 2].map(|()| Arc::new(Signal::default()));
            let parents = Watch::new(&file, &signals[0]).unwrap();
            crate::mapping::process::tests::in_fork(|| {
                let own = Watch::new(&file, &signals[1]).unwrap();
                assert!(!Arc::ptr_eq(&own.inotify, &parents.inotify));
                // It takes nothing off its parent.
                let inotify = parents.inotify.clone();
                drop(parents);
                assert_eq!(kept(&inotify, &file), 1);
                file.set_len(1).unwrap();
                let later = Instant::now() + Duration::from_secs(60);
                signals[1].wait(later);
                let woken = signals[1].poll(later, &mut Context::from_waker(Waker::noop()));
                assert!(woken.is_ready(), "nobody has told it");
            });
        })
        .assert_done();
    }

    #[test]
    fn all_who_wait_for_a_file_have_one_watch_that_ends_with_the_last() {
        let file = tempfile::tempfile().unwrap();
        let signals = [(); 2].map(|()| Arc::new(Signal::default()));
        let [one, other] = signals.each_ref().map(|signal| Watch::new(&file, signal).unwrap());
        let inotify = one.inotify.clone();
        assert!(Arc::ptr_eq(&inotify, &other.inotify));
        assert_eq!(kept(&inotify, &file), 1);

        drop(one);
        assert_eq!(kept(&inotify, &file), 1);
        file.set_len(1).unwrap();
        signals[1].wait(Instant::now() + Duration::from_secs(60));
        let later = Instant::now() + Duration::from_secs(60);
        let woken = signals[1].poll(later, &mut Context::from_waker(Waker::noop()));
        assert!(woken.is_ready(), "nobody has told it");

        drop(other);
        assert_eq!(kept(&inotify, &file), 0);
    }
}
