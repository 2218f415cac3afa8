//! The database on disk, and what happens to it while requests run: replaced by rename, and cut
//! short.

use anyhow::{Context, Result};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long the file stays cut.
const CUT: Duration = Duration::from_millis(30);

/// The file, and the two contents that it has in turn. They differ in when they were made only.
pub(crate) struct Scene {
    path: PathBuf,
    contents: [Vec<u8>; 2],
    built: [u64; 2],
    now: Mutex<Change>,
}

/// What the file is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// One of the contents, whole.
    Whole(usize),
    /// Cut short: no answer can come from it.
    Cut,
    /// On the way from one to the other.
    Changing,
}

/// What the file is, and a number that is another one after any change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) number: u64,
    pub(crate) moment: Moment,
}

/// How often the file was changed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disturbed {
    pub(crate) replaced: u64,
    pub(crate) cut: u64,
}

impl Scene {
    /// Takes the file over, with what is in it.
    pub(crate) fn new(path: PathBuf, content: Vec<u8>) -> Result<Scene> {
        let at =
            last_byte_of_epoch(&content).context("the database does not say when it was made")?;
        let built = epoch(&content, at);
        let mut other = content.clone();
        other[at] ^= 1;
        let built = [built, built ^ 1];
        let now = Mutex::new(Change { number: 0, moment: Moment::Whole(0) });
        Ok(Scene { path, contents: [content, other], built, now })
    }

    /// What the file is now.
    pub(crate) fn now(&self) -> Change {
        *self.change()
    }

    fn change(&self) -> MutexGuard<'_, Change> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, moment: Moment) {
        let mut now = self.change();
        *now = Change { number: now.number + 1, moment };
    }

    /// When the content of this number was made, as its metadata has it.
    pub(crate) fn built(&self, content: usize) -> u64 {
        self.built[content]
    }

    /// Replaces the file and cuts it, in turn, until told to stop. It is whole in the end.
    pub(crate) fn disturb(&self, calm: Duration, stop: &AtomicBool) -> Result<Disturbed> {
        let (mut disturbed, mut which) = (Disturbed::default(), 0);
        while !stop.load(Relaxed) {
            thread::sleep(calm);
            which = 1 - which;
            self.set(Moment::Changing);
            self.replace(which)?;
            self.set(Moment::Whole(which));
            disturbed.replaced += 1;

            thread::sleep(calm);
            self.set(Moment::Changing);
            let file = OpenOptions::new().write(true).open(&self.path);
            let file = file.with_context(|| format!("cannot open {}", self.path.display()))?;
            file.set_len(self.contents[which].len() as u64 / 2).context("cannot cut the file")?;
            self.set(Moment::Cut);
            disturbed.cut += 1;
            thread::sleep(CUT);
            self.set(Moment::Changing);
            self.replace(which)?;
            self.set(Moment::Whole(which));
        }
        Ok(disturbed)
    }

    /// Puts a content in the file's place, as whoever updates a database should.
    fn replace(&self, which: usize) -> Result<()> {
        let new = self.path.with_extension("new");
        fs::write(&new, &self.contents[which])
            .and_then(|()| fs::rename(&new, &self.path))
            .with_context(|| format!("cannot replace {}", self.path.display()))
    }
}

impl fmt::Display for Disturbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "replaced {} times and cut short {} times", self.replaced, self.cut)
    }
}

/// Where the last byte of the time lies that a database says it was made: after its name come two
/// bytes, a length and "64 bits", and as many bytes as that.
fn last_byte_of_epoch(content: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"\x4bbuild_epoch";
    let at = content.windows(NAME.len()).rposition(|bytes| bytes == NAME)? + NAME.len();
    let length = match content.get(at..at + 2)? {
        &[length @ 1..=8, 2] => length as usize,
        _ => return None,
    };
    let last = at + 1 + length;
    (last < content.len()).then_some(last)
}

fn epoch(content: &[u8], last: usize) -> u64 {
    let length = content[..last].iter().rev().position(|byte| *byte == 2).unwrap_or(0);
    content[last - length..=last].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
