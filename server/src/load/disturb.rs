//! The database on disk, and what happens to it while requests run: replaced by rename, and cut
//! short.

use anyhow::{Context, Result};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// How long the file stays cut.
const CUT: Duration = Duration::from_millis(30);

/// The file, and the two contents that it has in turn. They differ in when they were made only.
pub(crate) struct Scene {
    path: PathBuf,
    contents: [Vec<u8>; 2],
    built: [u64; 2],
    /// What the file is, and how often that has changed: a [`Change`] in one number.
    now: AtomicU64,
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
        let scene = Scene { path, contents: [content, other], built, now: AtomicU64::new(0) };
        scene.set(0, Moment::Whole(0));
        Ok(scene)
    }

    /// What the file is now.
    pub(crate) fn now(&self) -> Change {
        let now = self.now.load(SeqCst);
        let moment = match now & 3 {
            which @ (0 | 1) => Moment::Whole(which as usize),
            2 => Moment::Cut,
            _ => Moment::Changing,
        };
        Change { number: now >> 2, moment }
    }

    /// When the content of this number was made, as its metadata has it.
    pub(crate) fn built(&self, content: usize) -> u64 {
        self.built[content]
    }

    fn set(&self, change: u64, moment: Moment) {
        let moment = match moment {
            Moment::Whole(which) => which as u64,
            Moment::Cut => 2,
            Moment::Changing => 3,
        };
        self.now.store(change << 2 | moment, SeqCst);
    }

    /// Replaces the file and cuts it, in turn, until told to stop. It is whole in the end.
    pub(crate) fn disturb(&self, calm: Duration, stop: &AtomicBool) -> Result<Disturbed> {
        let (mut disturbed, mut which) = (Disturbed::default(), 0);
        let mut step = {
            let mut change = self.now().number;
            move |scene: &Scene, moment| {
                change += 1;
                scene.set(change, moment);
            }
        };
        while !stop.load(Relaxed) {
            thread::sleep(calm);
            which = 1 - which;
            step(self, Moment::Changing);
            self.replace(which)?;
            step(self, Moment::Whole(which));
            disturbed.replaced += 1;

            thread::sleep(calm);
            step(self, Moment::Changing);
            let file = OpenOptions::new().write(true).open(&self.path);
            let file = file.with_context(|| format!("cannot open {}", self.path.display()))?;
            file.set_len(self.contents[which].len() as u64 / 2).context("cannot cut the file")?;
            step(self, Moment::Cut);
            disturbed.cut += 1;
            thread::sleep(CUT);
            step(self, Moment::Changing);
            self.replace(which)?;
            step(self, Moment::Whole(which));
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
