//! A sign of life, for people who wait for what takes longer than they expect.

use crate::terminal;
use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// After this time somebody who waits begins to wonder.
const PATIENCE: Duration = Duration::from_secs(1);

/// Says something unless it is dropped in time.
pub(crate) struct Notice(
    #[expect(dead_code, reason = "its drop is what counts")] Option<Sender<()>>,
);

/// Says on a terminal, after a second, what is going on until the answer is dropped.
pub(crate) fn unless_soon_done(message: String) -> Notice {
    if !std::io::stderr().is_terminal() {
        return Notice(None);
    }
    after(PATIENCE, move || terminal::note(message))
}

fn after(time: Duration, say: impl FnOnce() + Send + 'static) -> Notice {
    let (done, waiting) = channel();
    let thread = std::thread::Builder::new().name("notice".to_owned()).spawn(move || {
        if waiting.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
            say();
        }
    });
    // Without a thread nothing is said, and nothing else is different.
    Notice(thread.is_ok().then_some(done))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_told_and_what_does_not_is_not() {
        let (told, telling) = channel();
        let again = told.clone();
        drop(after(Duration::MAX, move || told.send("soon").unwrap()));
        let notice = after(Duration::ZERO, move || again.send("late").unwrap());
        assert_eq!(telling.recv(), Ok("late"));
        drop(notice);
        assert!(telling.recv().is_err(), "nothing else was said");
    }
}
