//! A region that many mappings use, and where a mapping finds the one that another mapping of its
//! file has already.
//!
//! One registry for the process. It holds weak references: a region goes with the last mapping
//! that uses it, and takes its entry along.
//!
//! A file is known by its device, its number and when it was created, and only on file systems that
//! are known to keep a file's bytes where its identity is: see `platform::keeps_identity`. While a
//! region lives, the kernel keeps the file that it maps, so its number is given to no other there.
//! On other file systems that is not the whole truth (overlayfs keeps number and time of creation
//! when it copies a file up, while the bytes move; a server of NFS may give a number away), and
//! each mapping gets a region of its own.

use super::pages::Protection;
use super::platform;
use super::process::Own;
use super::region::Region;
use super::writeback::Writeback;
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

/// A region, and what the mappings that use it have in common.
#[derive(Debug)]
pub(super) struct CommonRegion {
    pub(super) region: Region,
    /// Where others find it, if they may.
    pub(super) key: Option<Key>,
    /// One for all regions of one open file: the kernel tells each open file once of a failure.
    pub(super) writeback: Arc<Writeback>,
}

impl CommonRegion {
    pub(super) fn new(region: Region) -> CommonRegion {
        CommonRegion::with(region, Arc::default())
    }

    pub(super) fn with(region: Region, writeback: Arc<Writeback>) -> CommonRegion {
        CommonRegion { region, key: None, writeback }
    }
}

impl Deref for CommonRegion {
    type Target = Region;

    #[inline]
    fn deref(&self) -> &Region {
        &self.region
    }
}

impl Drop for CommonRegion {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            withdraw(key, self);
        }
    }
}

/// What two mappings must have in common to use one region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    device: u64,
    inode: u64,
    created: SystemTime,
    /// Of the mapping, in bytes: a file that has changed its length since gets another region.
    length: u64,
    protection: Protection,
    nocache: bool,
}

impl Key {
    /// The key of a file's region, or `None` where nobody else may use it.
    pub(super) fn new(
        file: &File,
        stat: &Metadata,
        length: u64,
        protection: Protection,
        nocache: bool,
    ) -> Option<Key> {
        // Private pages are one mapping's; and nothing has no address.
        if protection.is_private() || length == 0 || !platform::keeps_identity(file) {
            return None;
        }
        let created = stat.created().ok()?;
        let (device, inode) = (stat.dev(), stat.ino());
        Some(Key { device, inode, created, length, protection, nocache })
    }
}

/// The region that mappings use now, if any do.
pub(super) fn find(key: &Key) -> Option<Arc<CommonRegion>> {
    regions().get(key)?.upgrade()
}

/// Lets others find a new region. If somebody has been quicker, theirs is the one to use.
pub(super) fn publish(key: Key, region: Region) -> Arc<CommonRegion> {
    match offer(key, CommonRegion::new(region)) {
        Ok(published) => published,
        // Ours is unmapped here, where the registry is free again.
        Err(taken) => taken.0,
    }
}

/// Lets others find a new region, unless there is one to be found already. `writeback` is that of
/// the open file.
pub(super) fn publish_if_first(
    key: Key,
    region: Region,
    writeback: Arc<Writeback>,
) -> Arc<CommonRegion> {
    match offer(key, CommonRegion::with(region, writeback)) {
        Ok(published) => published,
        Err(taken) => Arc::new(taken.1),
    }
}

/// Puts a region into the registry, or returns it with the one that is there.
fn offer(
    key: Key,
    mut region: CommonRegion,
) -> Result<Arc<CommonRegion>, Box<(Arc<CommonRegion>, CommonRegion)>> {
    // No `CommonRegion` with a key may be dropped in here: it would wait for the lock.
    let mut regions = regions();
    if let Some(found) = regions.get(&key).and_then(Weak::upgrade) {
        return Err(Box::new((found, region)));
    }
    region.key = Some(key.clone());
    let published = Arc::new(region);
    regions.insert(key, Arc::downgrade(&published));
    Ok(published)
}

/// Takes a region's entry out while the region is being dropped. Somebody may have put another
/// one in its place already, which stays.
fn withdraw(key: &Key, region: *const CommonRegion) {
    let mut regions = regions();
    if regions.get(key).is_some_and(|entry| std::ptr::eq(entry.as_ptr(), region)) {
        regions.remove(key);
    }
}

type Regions = HashMap<Key, Weak<CommonRegion>>;

fn regions() -> MutexGuard<'static, Regions> {
    static REGIONS: Own<Mutex<Regions>> = Own::new(Mutex::default);
    // Each change is one call of the map's, so that a poisoned lock is as good as any.
    REGIONS.get().lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Usage;
    use std::sync::Barrier;

    fn file(length: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(length).unwrap();
        file
    }

    fn key(file: &File, length: u64, protection: Protection) -> Option<Key> {
        Key::new(file, &file.metadata().unwrap(), length, protection, false)
    }

    fn region(file: &File) -> Region {
        let usage = Usage::new(Default::default());
        Region::new(file, 4096, Protection::SharedRead, &usage).unwrap()
    }

    #[test]
    fn only_the_same_file_mode_and_length_have_the_same_key() {
        let (one, other) = (file(4096), file(4096));
        let Some(known) = key(&one, 4096, Protection::SharedRead) else {
            println!("skipped: nothing is common on this file system");
            return;
        };
        let known = Some(known);
        assert_eq!(key(&one, 4096, Protection::SharedRead), known);
        assert_ne!(key(&other, 4096, Protection::SharedRead), known);
        assert_ne!(key(&one, 4095, Protection::SharedRead), known);
        assert_ne!(key(&one, 4096, Protection::SharedWrite), known);
        assert_eq!(key(&one, 4096, Protection::PrivateRead), None);
        assert_eq!(key(&one, 4096, Protection::PrivateWrite), None);
        assert_eq!(key(&one, 0, Protection::SharedRead), None);
    }

    #[test]
    fn an_entry_goes_with_its_last_user_and_takes_no_later_one_along() {
        let file = file(4096);
        let Some(key) = key(&file, 4096, Protection::SharedRead) else { return };
        let first = publish(key.clone(), region(&file));
        let second = publish(key.clone(), region(&file));
        assert!(Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&find(&key).unwrap(), &first));
        let alone = publish_if_first(key.clone(), region(&file), Arc::default());
        assert!(!Arc::ptr_eq(&alone, &first));
        drop(alone);
        drop((first, second));
        assert!(find(&key).is_none());
        assert!(!regions().contains_key(&key));
        // One that comes late takes nothing of another's.
        let third = publish_if_first(key.clone(), region(&file), Arc::default());
        withdraw(&key, std::ptr::null());
        assert!(Arc::ptr_eq(&find(&key).unwrap(), &third));
    }

    #[test]
    fn threads_that_come_and_go_at_once_have_one_region() {
        const THREADS: usize = 4;
        let file = file(4096);
        let Some(key) = key(&file, 4096, Protection::SharedRead) else { return };
        let barrier = Barrier::new(THREADS);
        let round = || {
            barrier.wait();
            let mine = find(&key).unwrap_or_else(|| publish(key.clone(), region(&file)));
            barrier.wait();
            // All of them hold theirs now.
            let same = Arc::ptr_eq(&mine, &find(&key).unwrap());
            barrier.wait();
            // And all let go at once, while the quickest come again.
            drop(mine);
            same
        };
        std::thread::scope(|scope| {
            let work = || (0..2000).all(|_| round());
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
        });
        assert!(!regions().contains_key(&key));
    }
}
