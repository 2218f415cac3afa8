//! What the options have done to a file and its pages once they are mapped.

use super::Plan;
use crate::error::Error;
use crate::mapping::memory::{self, MemoryFile};
use crate::mapping::options::OpenOptions;
use crate::mapping::platform;
use crate::mapping::region::Region;
use std::fs::File;

/// Locks, empties and reads in, as the options say.
pub(super) fn prepare(
    region: &Region,
    file: &File,
    plan: &Plan,
    options: &OpenOptions,
    memory: Option<&MemoryFile>,
) -> Result<(), Error> {
    // A file that is to be emptied to less than it had is locked over what will be left of it.
    match (options.lock, options.truncate) {
        (false, _) => {}
        (true, false) => region.lock()?,
        // Not read in yet: a private mapping would keep copies of the old contents.
        (true, true) => region.lock_on_fault()?,
    }
    if options.truncate && plan.length > 0 {
        let empty = || platform::empty(file, plan.length, plan.target);
        memory::change_length(memory, plan.target, empty)?;
    }
    if options.lock && options.truncate {
        // Where the pages are the kernel's to lock already, this reads them in, and a failure is
        // one that the next touch of a page would meet.
        let locked = region.lock();
        if !platform::LOCKS_ON_FAULT {
            locked?;
        }
    }
    if options.populate {
        region.populate(file);
    }
    Ok(())
}
