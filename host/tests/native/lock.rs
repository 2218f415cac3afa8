//! Locked pages: refused unless the embedder allows them, counted, and given back.
//!
//! What the kernel counts is the whole process's, so each of these has one of its own.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{Advice, OpenOptions};

fn locking(pages: u64) -> World {
    World::limited(limits(|l| l.locked_bytes = pages * page()))
}

fn locked(options: OpenOptions) -> OpenOptions {
    options.lock(true)
}

#[test]
fn locking_is_eacces_unless_it_is_allowed() {
    let world = World::new();
    world.file("f", b"contents");
    world.file("empty", b"");
    for options in [READ, WRITE, READ_WRITE, PRIVATE, TRUNCATE, CREATE] {
        assert_eq!(world.refused("f", &locked(options)), Eacces, "{options:?}");
        assert_eq!(world.refused("empty", &locked(options)), Eacces, "{options:?}");
        let grown = options.size(100);
        if writes(&grown) {
            assert_eq!(world.refused("f", &locked(grown)), Eacces);
        }
    }
    assert_eq!(world.refused("new", &locked(CREATE)), Eacces);
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["empty", "f"]);
    world.assert_idle();
}

#[test]
fn locked_pages_are_locked_until_the_close() {
    in_child(|| {
        let world = locking(8);
        let contents = pattern(3 * page() + 1);
        let path = world.file("f", &contents);
        for options in [READ, WRITE, READ_WRITE, PRIVATE, READ.populate(true)] {
            assert_eq!(status("VmLck"), 0);
            let mapping = world.map("f", &locked(options));
            assert_eq!(status("VmLck"), 4 * page(), "{options:?}");
            assert_eq!(smaps(&path, "Locked"), 4 * page(), "{options:?}");
            assert_eq!(world.usage.counters().locked_bytes, contents.len() as u64);
            for hint in [Advice::Normal, Advice::WillNeed, Advice::DontNeed] {
                assert_eq!(mapping.advise(0, 0, hint), Ok(()), "{options:?} {hint:?}");
            }
            mapping.sync(iommap::SyncMode::Sync).unwrap();
            if reads(&options) {
                assert_same!(all(&mapping), contents);
            }
            mapping.close().unwrap();
            assert_eq!(status("VmLck"), 0, "{options:?}");
            world.assert_idle();
        }
        assert_same!(world.contents("f"), contents);
    });
}

#[test]
fn the_limit_on_locked_bytes_holds() {
    in_child(|| {
        let world = locking(3);
        world.file("two", &pattern(2 * page()));
        world.file("four", &pattern(4 * page()));
        assert_eq!(world.refused("four", &locked(READ)), LimitExceeded);
        let two = world.map("two", &locked(READ));
        assert_eq!(world.refused("two", &locked(READ)), LimitExceeded);
        // Unlocked mappings are not concerned.
        drop(world.map("four", &READ));
        let sized = locked(CREATE).size(2 * page());
        assert_eq!(world.refused("new", &sized), LimitExceeded);
        assert_eq!(world.names(), ["four", "two"]);
        drop(two);
        drop(world.map("new", &sized));
        assert_eq!(status("VmLck"), 0);
        world.assert_idle();
    });
}

#[test]
fn a_lock_follows_a_new_length_within_its_limit() {
    in_child(|| {
        let world = locking(4);
        let contents = pattern(2 * page());
        world.file("f", &contents);
        let mapping = world.map("f", &locked(READ_WRITE));
        for pages in [3, 4, 1, 2, 0, 2] {
            mapping.set_len(pages * page()).unwrap();
            assert_eq!(status("VmLck"), pages * page());
            assert_eq!(world.usage.counters().locked_bytes, pages * page());
        }
        assert_eq!(mapping.set_len(4 * page() + 1), Err(LimitExceeded.into()));
        assert_eq!(world.length("f"), 2 * page());
        assert_eq!(mapping.len(), Ok(2 * page()));
        assert_eq!(status("VmLck"), 2 * page());
        assert_eq!(world.usage.counters().locked_bytes, 2 * page());
        // Cut by others first: it is whole again afterwards, and locked.
        world.set_length("f", 10);
        mapping.set_len(2 * page()).unwrap();
        assert_eq!(status("VmLck"), 2 * page());
        assert_same!(all(&mapping), vec![0; 2 * page() as usize]);
        mapping.close().unwrap();
        assert_eq!(status("VmLck"), 0);
        world.assert_idle();
    });
}

#[test]
fn a_file_made_longer_by_a_locking_open_is_all_locked() {
    in_child(|| {
        let world = locking(4);
        for options in [TRUNCATE, CREATE] {
            for old in [0, 1, 3, 9] {
                // A file that is not emptied has to fit whole.
                if old == 9 && options != TRUNCATE {
                    continue;
                }
                let path = world.file("f", &pattern(old * page()));
                let mapping = world.map("f", &locked(options).size(4 * page()));
                assert_eq!(status("VmLck"), 4 * page(), "{old} {options:?}");
                assert_eq!(smaps(&path, "Rss"), 4 * page(), "{old} {options:?}");
                assert_eq!(mapping.len(), Ok(4 * page()));
                drop(mapping);
                assert_eq!(status("VmLck"), 0);
            }
        }
    });
}

#[test]
fn a_private_locking_truncate_shows_no_old_bytes() {
    in_child(|| {
        let world = locking(4);
        for old in [1, 3, 4, 9] {
            world.file("f", &pattern(old * page()));
            let private = TRUNCATE.private(true).size(4 * page());
            let mapping = world.map("f", &locked(private));
            assert_eq!(status("VmLck"), 4 * page(), "{old}");
            assert_same!(all(&mapping), vec![0; 4 * page() as usize], "{old}");
            mapping.pwrite(page(), b"mine").unwrap();
            assert_eq!(bytes(&mapping, page(), 4), b"mine");
            drop(mapping);
            assert_same!(world.contents("f"), vec![0; 4 * page() as usize], "{old}");
        }
    });
}

#[test]
fn a_lock_that_the_kernel_refuses_changes_nothing() {
    in_child(|| {
        let world = locking(64);
        let contents = pattern(2 * page());
        set_mode(&world.path(""), 0o777);
        set_mode(&world.file("f", &contents), 0o666);
        as_nobody(|| {
            with_rlimit(libc::RLIMIT_MEMLOCK, 0, || {
                for size in [None, Some(1), Some(2 * page()), Some(8 * page())] {
                    for options in [READ_WRITE, PRIVATE, TRUNCATE, CREATE] {
                        // Nothing to lock, nothing to refuse.
                        if options == TRUNCATE && size.is_none() {
                            continue;
                        }
                        let options = sized(locked(options), size);
                        assert_eq!(world.refused("f", &options), Enomem, "{options:?}");
                        world.assert_idle();
                    }
                }
                let new = locked(CREATE).size(page());
                assert_eq!(world.refused("new", &new), Enomem);
                let exclusive = new.exclusive(true).private(true);
                assert_eq!(world.refused("new", &exclusive), Enomem);
            });
        });
        // What a growth has made of the file by then stays, since others may have built on it.
        let found = world.contents("f");
        assert_same!(found[..contents.len()], contents);
        assert_same!(found[contents.len()..], vec![0; 6 * page() as usize]);
        assert_eq!(world.names(), ["f"]);
        assert_eq!(status("VmLck"), 0);
    });
}

#[test]
fn a_locked_mapping_serves_after_growth_is_refused() {
    in_child(|| {
        let world = locking(64);
        let contents = pattern(2 * page());
        set_mode(&world.path(""), 0o777);
        set_mode(&world.file("f", &contents), 0o666);
        as_nobody(|| {
            let mapping = world.map("f", &locked(READ_WRITE));
            with_rlimit(libc::RLIMIT_MEMLOCK, 2 * page(), || {
                for size in [1, 2 * page(), 8 * page()] {
                    // The old region is still locked while the new one is made.
                    assert_eq!(mapping.set_len(size), Err(Enomem.into()), "{size}");
                    assert_same!(all(&mapping), contents, "{size}");
                    // A file that has grown by then stays as long as it is.
                    assert_eq!(world.length("f"), size.max(2 * page()), "{size}");
                    assert_eq!(status("VmLck"), 2 * page(), "{size}");
                    assert_eq!(world.usage.counters().locked_bytes, 2 * page(), "{size}");
                    assert_eq!(world.usage.counters().mapped_bytes, 2 * page(), "{size}");
                }
            });
            mapping.set_len(8 * page()).unwrap();
            assert_eq!(status("VmLck"), 8 * page());
        });
    });
}

#[test]
fn an_empty_file_may_be_locked() {
    let world = locking(1);
    world.file("f", b"");
    let mapping = world.map("f", &locked(READ));
    assert_eq!(mapping.len(), Ok(0));
    assert_eq!(world.usage.counters().locked_bytes, 0);
}
