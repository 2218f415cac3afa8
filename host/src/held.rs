//! A table's hold of a mapping, which knows whether anybody else has one too.

use crate::mapping::Mapping;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A reference to a mapping, counted as others are.
///
/// `Arc::get_mut` asks anew each time whether its reference is the only one, by an instruction
/// that waits for every store before it. A mapping that a guest opened has no other user as long
/// as it lives, so here the answer is kept.
#[derive(Debug)]
pub(crate) struct Held {
    mapping: Arc<Mapping>,
    /// This is the only reference, and no other was made since that was found.
    alone: AtomicBool,
}

impl Held {
    pub(crate) fn new(mapping: Arc<Mapping>) -> Held {
        Held { mapping, alone: false.into() }
    }

    pub(crate) fn get(&self) -> &Mapping {
        &self.mapping
    }

    /// Another reference.
    pub(crate) fn share(&self) -> Arc<Mapping> {
        self.alone.store(false, Relaxed);
        self.mapping.clone()
    }

    /// The mapping, if nobody else has it.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut Mapping> {
        let alone = self.alone.get_mut();
        if !*alone {
            Arc::get_mut(&mut self.mapping)?;
            *alone = true;
        }
        // SAFETY: `Arc::get_mut` said, now or before, that this is the only reference, and that
        // there is no weak one. References are made from references: only `share` has had this
        // one since, and says so in `alone`, which nobody changes while `self` is borrowed.
        Some(unsafe { &mut *Arc::as_ptr(&self.mapping).cast_mut() })
    }
}

impl Clone for Held {
    fn clone(&self) -> Held {
        Held::new(self.share())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccessMode, Account, FsPerms, Grants, Limits, OpenOptions};

    fn mapping() -> Arc<Mapping> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), "bytes").unwrap();
        let mut grants = Grants::default();
        grants.preopened_dir(dir.path(), "/", FsPerms::ReadOnly).unwrap();
        let account = Account::new(Limits::default());
        let options = OpenOptions::new(AccessMode::Read);
        Arc::new(Mapping::open(&grants, &account, "/f", &options).unwrap())
    }

    #[test]
    fn given_one_reference_when_asked_again_and_again_then_it_is_alone() {
        let mut held = Held::new(mapping());
        for _ in 0..3 {
            assert!(held.get_mut().is_some());
        }
    }

    #[test]
    fn given_another_reference_when_it_goes_then_the_first_is_alone_again() {
        let outside = mapping();
        let mut held = Held::new(outside.clone());
        assert!(held.get_mut().is_none());
        drop(outside);
        assert!(held.get_mut().is_some());

        let shared = held.share();
        assert!(held.get_mut().is_none() && held.get_mut().is_none());
        drop(shared);
        assert!(held.get_mut().is_some());

        let mut twin = held.clone();
        assert!(held.get_mut().is_none() && twin.get_mut().is_none());
        drop(held);
        assert!(twin.get_mut().is_some());
    }

    #[test]
    fn given_a_weak_reference_when_asked_then_it_is_not_alone() {
        let outside = mapping();
        let weak = Arc::downgrade(&outside);
        let mut held = Held::new(outside);
        assert!(held.get_mut().is_none(), "it may be had from the weak one at any time");
        drop(weak);
        assert!(held.get_mut().is_some());
    }
}
