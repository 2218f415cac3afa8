//! Ends a component from outside: because its time is over, or a signal says so.
//!
//! A component that waits for something asynchronous is dropped, and ends in good order. One that
//! computes does not give way, nor does a call that waits in the system, for a file system that hangs
//! or for somebody who reads the output. So the thread here waits a moment, says what there is to say,
//! and ends the process with it.

use crate::{exit, terminal};
use anyhow::{Context, Result};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a component may take to end when it is asked to. Where it waits it does so at once; if it
/// computes, never.
const GRACE: Duration = Duration::from_millis(100);

/// How long what is said at the end may take. It takes no time, unless nobody reads it or the machine
/// is very busy.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long somebody may take to read what the component wrote, once all is said. What is left of it
/// is part of a line, or less than a reader lets lie that reads at all.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

/// Why a component is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    TimeOver(Duration),
    /// The number of the signal.
    Signal(u8),
}

impl Why {
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Why::TimeOver(_) => exit::TIMED_OUT,
            Why::Signal(number) => exit::by_signal(number),
        }
    }
}

/// What is said at the end, by whoever comes first to it: the component's thread or the one here.
type LastWords = Box<dyn FnOnce(Why) + Send>;

/// What has to be known of a component that runs.
struct Guest {
    limit: Option<Duration>,
    ask: oneshot::Sender<Why>,
}

/// What the thread is told.
enum Event {
    Started(Guest),
    Signal(u8),
}

/// The thread that ends components, and this process.
pub(crate) struct Ending {
    events: Sender<Event>,
    last_words: Arc<Mutex<Option<LastWords>>>,
}

impl Ending {
    /// From now on a signal ends this process as it should, be it process 1 of a container.
    pub(crate) fn start() -> Result<Ending> {
        let (events, receiver) = channel();
        let last_words = Arc::new(Mutex::new(None));
        let ending = Ending { events, last_words: last_words.clone() };
        signals::forward(ending.events.clone())?;
        spawn("ending", move || end(&receiver, &last_words))?;
        Ok(ending)
    }

    /// From now on there is a component, which may run for so long. What is returned tells it when
    /// it is to end.
    pub(crate) fn watch(
        &self,
        limit: Option<Duration>,
        last_words: impl FnOnce(Why) + Send + 'static,
    ) -> oneshot::Receiver<Why> {
        let (ask, asked) = oneshot::channel();
        *lock(&self.last_words) = Some(Box::new(last_words));
        // The thread is there as long as this process is.
        _ = self.events.send(Event::Started(Guest { limit, ask }));
        asked
    }

    /// The component is over. Returns unless that is being said, and this process ended, already.
    pub(crate) fn is_over(&self) {
        if lock(&self.last_words).take().is_none() {
            loop {
                thread::park();
            }
        }
    }
}

/// The thread: waits until there is a reason to end the component, and does it.
fn end(events: &Receiver<Event>, last_words: &Mutex<Option<LastWords>>) {
    let mut guest = None;
    let mut deadline = None;
    let why = loop {
        let left =
            deadline.map(|deadline: Instant| deadline.saturating_duration_since(Instant::now()));
        match next(events, left) {
            Ok(Event::Started(started)) => {
                deadline = started.limit.and_then(|limit| Instant::now().checked_add(limit));
                guest = Some(started);
            }
            Ok(Event::Signal(number)) => break Why::Signal(number),
            Err(RecvTimeoutError::Timeout) => {
                let limit = guest.as_ref().and_then(|guest: &Guest| guest.limit);
                break Why::TimeOver(limit.unwrap_or_default());
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    };
    // Before that nobody else has anything to say.
    let started = guest.is_some() || matches!(events.try_recv(), Ok(Event::Started(_)));
    if let Some(Guest { ask, .. }) = guest {
        _ = ask.send(why);
        // A second signal is from somebody who does not want to wait.
        _ = events.recv_timeout(GRACE);
    }
    if let Some(say) = lock(last_words).take() {
        // Somebody who stopped reading may keep what is said from being written, and what the component
        // wrote. That may be waited for by the component, too, which then has the standard output.
        let (done, waiting) = channel();
        let saying = spawn("last words", move || {
            say(why);
            _ = done.send(());
            _ = terminal::flush();
        });
        if saying.is_ok() && waiting.recv_timeout(LAST_WORDS).is_ok() {
            // It is over when the thread is, and its end of the channel.
            _ = waiting.recv_timeout(LAST_OUTPUT);
        }
    } else if started {
        // The component's thread came first. It has as long to say it.
        thread::sleep(LAST_WORDS);
    }
    exit_now(why.exit_code())
}

/// Ends the process without what Rust does at the end of one: that is to write what the standard
/// output has of a line, and to wait for ever if nobody reads it.
#[cfg(unix)]
fn exit_now(code: u8) -> ! {
    // SAFETY: It has no pointers, and ends the other threads with this one.
    unsafe { libc::_exit(code.into()) }
}

/// Ends the process.
#[cfg(not(unix))]
fn exit_now(code: u8) -> ! {
    std::process::exit(code.into())
}

fn next(events: &Receiver<Event>, left: Option<Duration>) -> Result<Event, RecvTimeoutError> {
    match left {
        Some(left) => events.recv_timeout(left),
        None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).context("no thread can be started: raise the limit on processes (ulimit -u)")
}

fn lock(words: &Mutex<Option<LastWords>>) -> std::sync::MutexGuard<'_, Option<LastWords>> {
    words.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
mod signals {
    use super::{Event, Result, Sender, spawn};
    use libc::{SIGINT, SIGTERM};
    use std::mem::MaybeUninit;
    use std::ptr;

    /// Passes on the signals that are to end this process.
    ///
    /// No thread but the one here may be chosen to be told of them: one that waits for a page of a
    /// file system that hangs would never come to it. Threads inherit what is blocked here, so this
    /// comes before any other is started.
    pub(super) fn forward(events: Sender<Event>) -> Result<()> {
        // What a shell starts in the background ignores Ctrl-C, and goes on to.
        let signals = set(&[SIGINT, SIGTERM].map(|signal| (signal, !is_ignored(signal))));
        // SAFETY: The set is one, and nobody is to be told what was blocked before.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &signals, ptr::null_mut()) };
        spawn("signals", move || {
            let mut signal = 0;
            // SAFETY: Both are there, and the signals are blocked.
            while unsafe { libc::sigwait(&signals, &mut signal) } == 0 {
                let number = u8::try_from(signal).unwrap_or_default();
                if events.send(Event::Signal(number)).is_err() {
                    return;
                }
            }
        })
    }

    /// Those of the signals that are wanted.
    fn set(signals: &[(i32, bool)]) -> libc::sigset_t {
        let mut set = MaybeUninit::uninit();
        // SAFETY: It is a set to be written to, which the call does.
        let mut set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            set.assume_init()
        };
        for (signal, _) in signals.iter().filter(|(_, wanted)| *wanted) {
            // SAFETY: It is a set, and the signal is one.
            unsafe { libc::sigaddset(&mut set, *signal) };
        }
        set
    }

    fn is_ignored(signal: i32) -> bool {
        let mut action = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: Nothing is changed, and `action` is one to be written to.
        let asked = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
        // SAFETY: It was written if that succeeded.
        asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(not(unix))]
mod signals {
    use super::{Event, Result, Sender};

    /// The system ends this process by itself.
    pub(super) fn forward(_: Sender<Event>) -> Result<()> {
        Ok(())
    }
}
