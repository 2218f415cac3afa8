//! Files that stay mapped between requests, and whether they are there: what `/readyz` says.
//!
//! Mappings of one file share a region for as long as one of them is there. Where requests follow
//! each other with none in between, each would map the file anew, and meet every page for the
//! first time. So the server keeps a mapping of its own.
//!
//! Each file has a thread: one on a file system that doesn't answer holds up no other.

use crate::args::Args;
use anyhow::{Context, Result};
use iommap::{FsPerms, Grants, Limits, Mapping, OpenOptions, Usage};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// How often it is looked whether a file is there, and the same.
const LOOK: Duration = Duration::from_millis(250);

/// After how long without an answer a file counts as lost.
const STALE: Duration = Duration::from_secs(5);

/// The files, as they were found last.
pub(crate) struct Keeper(Vec<(String, Arc<Mutex<Found>>)>);

/// What was found of a file.
struct Found {
    at: Instant,
    lost: Option<String>,
}

impl Keeper {
    /// Keeps files mapped, until the process ends.
    pub(crate) fn start(args: &Args) -> Result<Keeper> {
        let mut files = Vec::new();
        for path in &args.keep_mapped {
            let file = File::new(args, path);
            let lost = Some("not looked for yet".to_owned());
            let found = Arc::new(Mutex::new(Found { at: Instant::now(), lost }));
            files.push((path.clone(), found.clone()));
            let thread = thread::Builder::new().name("keeper".to_owned());
            thread
                .spawn(move || file.keep(&found))
                .context("no thread can be started to keep files mapped")?;
        }
        Ok(Keeper(files))
    }

    /// The files that requests would miss, each with the reason. None: the server is ready.
    pub(crate) fn missing(&self) -> Vec<(&str, String)> {
        let missing = self.0.iter().filter_map(|(path, found)| {
            let found = lock(found);
            let silent = found.at.elapsed();
            let why = match &found.lost {
                _ if silent > STALE => format!("no answer for {} s", silent.as_secs()),
                Some(why) => why.clone(),
                None => return None,
            };
            Some((path.as_str(), why))
        });
        missing.collect()
    }
}

/// A file that is kept.
struct File {
    /// As components have it.
    path: String,
    /// As this machine has it; `None` where no directory is granted that it could be in.
    host: Option<PathBuf>,
    dirs: Vec<(PathBuf, String)>,
    usage: Arc<Usage>,
    mapping: Option<Mapping>,
    /// What the file was when it was whole.
    whole: Option<Whole>,
}

/// Which file, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Whole {
    device: u64,
    inode: u64,
    length: u64,
}

impl File {
    fn new(args: &Args, path: &str) -> File {
        File {
            path: path.to_owned(),
            host: on_host(&args.dirs, path),
            dirs: args.dirs.clone(),
            usage: Usage::named(Limits::default(), "keeper"),
            mapping: None,
            whole: None,
        }
    }

    /// Looks for it again and again.
    fn keep(mut self, found: &Mutex<Found>) {
        let mut first = true;
        loop {
            let lost = self.look().err();
            let was_lost = {
                let mut found = lock(found);
                found.at = Instant::now();
                std::mem::replace(&mut found.lost, lost.clone())
            };
            let path = &self.path;
            match lost {
                None if first || was_lost.is_some() => info!(path, "kept mapped"),
                Some(why) if first || was_lost.as_ref() != Some(&why) => {
                    warn!(path, why, "lost: it is looked for again and again");
                }
                _ => {}
            }
            first = false;
            thread::sleep(LOOK);
        }
    }

    /// Opens it again: the same file shares the region that is kept, another one takes its place.
    /// One that can't be used is let go.
    fn look(&mut self) -> Result<(), String> {
        let old = self.mapping.take();
        let mapping = self.open()?;
        let host = self.host.as_ref().ok_or("no --dir has it")?;
        let now = fs::metadata(host).map_err(|error| error.to_string())?;
        let now = Whole { device: now.dev(), inode: now.ino(), length: now.len() };
        if now.length == 0 {
            return Err("it is empty".to_owned());
        }
        if let Some(was) = self.whole.filter(|was| was.is_longer_same(&now)) {
            return Err(format!(
                "it was cut short under its readers, from {} to {} bytes: replace it by a rename",
                was.length, now.length
            ));
        }
        self.whole = Some(now);
        self.mapping = Some(mapping);
        // Not before there is another one on its region.
        drop(old);
        Ok(())
    }

    fn open(&self) -> Result<Mapping, String> {
        let mut grants = Grants::default();
        grants.common_regions(true);
        for (host, guest) in &self.dirs {
            let granted = grants.preopened_dir(host, guest, FsPerms::ReadOnly);
            granted.map_err(|error| error.to_string())?;
        }
        let options = OpenOptions::new().read(true);
        grants.open(&self.usage, &self.path, &options).map_err(|error| error.to_string())
    }
}

impl Whole {
    /// Is it the file that `now` is, before it was cut?
    fn is_longer_same(&self, now: &Whole) -> bool {
        (self.device, self.inode) == (now.device, now.inode) && self.length > now.length
    }
}

/// Where a file that a component names is on this machine: in the directory whose name is the
/// longest that it begins with.
fn on_host(dirs: &[(PathBuf, String)], path: &str) -> Option<PathBuf> {
    let parts = |name: &str| -> PathBuf {
        let named = |part: &Component<'_>| matches!(part, Component::Normal(_));
        Path::new(name).components().filter(named).collect()
    };
    let path = parts(path);
    let found = dirs.iter().filter_map(|(host, guest)| {
        let guest = parts(guest);
        let rest = path.strip_prefix(&guest).ok()?;
        Some((guest.components().count(), host.join(rest)))
    });
    found.max_by_key(|(length, _)| *length).map(|(_, host)| host)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_in_the_directory_with_the_longest_name() {
        let dirs = [("/srv", "/data"), ("/geo", "data/./geo"), ("/", ".")];
        let dirs = dirs.map(|(host, guest)| (PathBuf::from(host), guest.to_owned()));
        for (path, host) in [
            ("/data/x", "/srv/x"),
            ("data/geo/x/y", "/geo/x/y"),
            ("/data/geography", "/srv/geography"),
            ("/elsewhere", "/elsewhere"),
        ] {
            assert_eq!(on_host(&dirs, path), Some(host.into()), "{path}");
        }
        assert_eq!(on_host(&dirs[..2], "/elsewhere"), None);
    }

    #[test]
    fn only_the_same_file_can_be_cut_short() {
        let was = Whole { device: 1, inode: 2, length: 100 };
        assert!(was.is_longer_same(&Whole { length: 99, ..was }));
        assert!(!was.is_longer_same(&was));
        assert!(!was.is_longer_same(&Whole { inode: 3, length: 99, ..was }));
    }
}
