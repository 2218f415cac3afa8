//! Files that stay mapped between requests.
//!
//! Mappings of one file share a region for as long as one of them is there. Where requests follow
//! each other with none in between, each would map the file anew, and meet every page for the
//! first time. So the server keeps a mapping of its own.

use crate::args::Args;
use anyhow::{Context, Result};
use iommap::{AccessMode, Account, FsPerms, Grants, Limits, Mapping, OpenOptions};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tracing::{debug, info, warn};

/// How often it is looked whether a file has been replaced.
const LOOK: Duration = Duration::from_millis(500);

/// Keeps files mapped, until the process ends.
pub(crate) fn start(args: &Args) -> Result<()> {
    if args.keep_mapped.is_empty() {
        return Ok(());
    }
    let mut grants = Grants::default();
    grants.share_regions(true);
    for (host, guest) in &args.dirs {
        grants.preopened_dir(host, guest, FsPerms::ReadOnly)?;
    }
    let mut keeper = Keeper {
        grants,
        account: Account::new(Limits::default()),
        kept: args.keep_mapped.iter().map(|path| (path.clone(), None)).collect(),
    };
    for (path, _) in keeper.look() {
        // Whoever asks for a file by name wants to hear at once that there is none.
        warn!(path, "not there to be kept mapped; it is looked for again and again");
    }
    let thread = thread::Builder::new().name("keeper".to_owned());
    let work = move || {
        loop {
            thread::sleep(LOOK);
            keeper.look();
        }
    };
    thread.spawn(work).map(drop).context("no thread can be started to keep files mapped")
}

struct Keeper {
    grants: Grants,
    account: Arc<Account>,
    kept: Vec<(String, Option<Mapping>)>,
}

impl Keeper {
    /// Opens each file again: the same one shares the region that is kept, another one takes its
    /// place. Returns those that cannot be had, which are let go.
    fn look(&mut self) -> Vec<(String, iommap::Error)> {
        let mut missing = Vec::new();
        for (path, kept) in &mut self.kept {
            let options = OpenOptions::new(AccessMode::Read);
            match Mapping::open(&self.grants, &self.account, path, &options) {
                Ok(mapping) => {
                    if kept.is_none() {
                        info!(path, "kept mapped");
                    }
                    *kept = Some(mapping);
                }
                Err(error) => {
                    debug!(path, %error, "not mapped any more");
                    *kept = None;
                    missing.push((path.clone(), error));
                }
            }
        }
        missing
    }
}
