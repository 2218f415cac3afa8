//! Locked pages: refused unless the embedder allows them, counted, and given back.
//!
//! What the kernel counts is the whole process's, so each of these has one of its own.

mod support;

use iommap::{Advice, Error, Limits, OpenOptions};
use support::*;

fn locking(pages: u64) -> World {
    World::limited(Limits { locked_bytes: pages * page(), ..Limits::default() })
}

fn locked(options: OpenOptions) -> OpenOptions {
    OpenOptions { lock: true, ..options }
}

#[test]
fn given_the_default_limits_when_lock_is_asked_then_eacces_and_the_file_is_untouched() {
    let world = World::new();
    world.file("f", b"contents");
    world.file("empty", b"");
    for options in [READ, WRITE, READ_WRITE, PRIVATE, TRUNCATE, CREATE] {
        assert_eq!(world.refused("f", &locked(options.clone())), Error::Acces, "{options:?}");
        assert_eq!(world.refused("empty", &locked(options.clone())), Error::Acces, "{options:?}");
        let grown = OpenOptions { size: Some(100), ..options };
        if grown.access.writes() {
            assert_eq!(world.refused("f", &locked(grown)), Error::Acces);
        }
    }
    assert_eq!(world.refused("new", &locked(CREATE)), Error::Acces);
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["empty", "f"]);
    world.assert_idle();
}

#[test]
fn given_a_limit_when_a_mapping_is_locked_then_its_pages_are_and_on_close_no_more() {
    in_child(|| {
        let world = locking(8);
        let contents = pattern(3 * page() + 1);
        let path = world.file("f", &contents);
        for options in [READ, WRITE, READ_WRITE, PRIVATE, OpenOptions { populate: true, ..READ }] {
            assert_eq!(status("VmLck"), 0);
            let mapping = world.map("f", &locked(options.clone()));
            assert_eq!(status("VmLck"), 4 * page(), "{options:?}");
            assert_eq!(smaps(&path, "Locked"), 4 * page(), "{options:?}");
            assert_eq!(world.account.counters().locked_bytes, contents.len() as u64);
            for hint in [Advice::Normal, Advice::WillNeed, Advice::DontNeed] {
                assert_eq!(mapping.advise(0, 0, hint), Ok(()), "{options:?} {hint:?}");
            }
            mapping.sync(iommap::SyncMode::Sync).unwrap();
            if options.access.reads() {
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
fn given_a_limit_when_more_is_to_be_locked_then_limit_exceeded_until_some_is_free() {
    in_child(|| {
        let world = locking(3);
        world.file("two", &pattern(2 * page()));
        world.file("four", &pattern(4 * page()));
        assert_eq!(world.refused("four", &locked(READ)), Error::LimitExceeded);
        let two = world.map("two", &locked(READ));
        assert_eq!(world.refused("two", &locked(READ)), Error::LimitExceeded);
        // Unlocked mappings are not concerned.
        drop(world.map("four", &READ));
        let sized = OpenOptions { size: Some(2 * page()), ..locked(CREATE) };
        assert_eq!(world.refused("new", &sized), Error::LimitExceeded);
        assert_eq!(world.names(), ["four", "two"]);
        drop(two);
        drop(world.map("new", &sized));
        assert_eq!(status("VmLck"), 0);
        world.assert_idle();
    });
}

#[test]
fn given_a_locked_mapping_when_truncated_then_the_lock_follows_within_its_limit() {
    in_child(|| {
        let world = locking(4);
        let contents = pattern(2 * page());
        world.file("f", &contents);
        let mapping = world.map("f", &locked(READ_WRITE));
        for pages in [3, 4, 1, 2, 0, 2] {
            mapping.truncate(pages * page()).unwrap();
            assert_eq!(status("VmLck"), pages * page());
            assert_eq!(world.account.counters().locked_bytes, pages * page());
        }
        assert_eq!(mapping.truncate(4 * page() + 1), Err(Error::LimitExceeded));
        assert_eq!(world.length("f"), 2 * page());
        assert_eq!(mapping.position(), Ok(2 * page()));
        assert_eq!(status("VmLck"), 2 * page());
        assert_eq!(world.account.counters().locked_bytes, 2 * page());
        // Cut by others first: it is whole again afterwards, and locked.
        world.set_length("f", 10);
        mapping.truncate(2 * page()).unwrap();
        assert_eq!(status("VmLck"), 2 * page());
        assert_same!(all(&mapping), vec![0; 2 * page() as usize]);
        mapping.close().unwrap();
        assert_eq!(status("VmLck"), 0);
        world.assert_idle();
    });
}

#[test]
fn given_lock_and_truncate_or_size_when_opened_then_the_new_pages_are_locked() {
    in_child(|| {
        let world = locking(4);
        for options in [TRUNCATE, CREATE] {
            for old in [0, 1, 3, 9] {
                // A file that is not emptied has to fit whole.
                if old == 9 && !options.truncate {
                    continue;
                }
                let path = world.file("f", &pattern(old * page()));
                let mapping = world
                    .map("f", &OpenOptions { size: Some(4 * page()), ..locked(options.clone()) });
                assert_eq!(status("VmLck"), 4 * page(), "{old} {options:?}");
                assert_eq!(smaps(&path, "Rss"), 4 * page(), "{old} {options:?}");
                assert_eq!(mapping.position(), Ok(4 * page()));
                drop(mapping);
                assert_eq!(status("VmLck"), 0);
            }
        }
    });
}

#[test]
fn given_private_lock_and_truncate_when_opened_then_the_old_contents_are_not_to_be_seen() {
    in_child(|| {
        let world = locking(4);
        for old in [1, 3, 4, 9] {
            world.file("f", &pattern(old * page()));
            let private = OpenOptions { private: true, size: Some(4 * page()), ..TRUNCATE };
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
fn given_a_kernel_that_refuses_when_lock_is_asked_then_enomem_and_the_world_is_as_it_was() {
    in_child(|| {
        let world = locking(64);
        let contents = pattern(2 * page());
        set_mode(&world.path(""), 0o777);
        set_mode(&world.file("f", &contents), 0o666);
        let before = world.allocated("f");
        as_nobody(|| {
            with_rlimit(libc::RLIMIT_MEMLOCK, 0, || {
                for size in [None, Some(1), Some(2 * page()), Some(8 * page())] {
                    for options in [READ_WRITE, PRIVATE, TRUNCATE, CREATE] {
                        // Nothing to lock, nothing to refuse.
                        if options.truncate && size.is_none() {
                            continue;
                        }
                        let options = OpenOptions { size, ..locked(options) };
                        assert_eq!(world.refused("f", &options), Error::NoMem, "{options:?}");
                        world.assert_idle();
                    }
                }
                let new = OpenOptions { size: Some(page()), ..locked(CREATE) };
                assert_eq!(world.refused("new", &new), Error::NoMem);
                let exclusive = OpenOptions { exclusive: true, private: true, ..new };
                assert_eq!(world.refused("new", &exclusive), Error::NoMem);
            });
        });
        assert_same!(world.contents("f"), contents);
        assert_eq!(world.allocated("f"), before);
        assert_eq!(world.names(), ["f"]);
        assert_eq!(status("VmLck"), 0);
    });
}

#[test]
fn given_a_kernel_that_refuses_when_a_locked_mapping_grows_then_enomem_and_the_old_one_serves() {
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
                    assert_eq!(mapping.truncate(size), Err(Error::NoMem), "{size}");
                    assert_same!(all(&mapping), contents, "{size}");
                    assert_eq!(world.length("f"), 2 * page(), "{size}");
                    assert_eq!(status("VmLck"), 2 * page(), "{size}");
                    assert_eq!(world.account.counters().locked_bytes, 2 * page(), "{size}");
                    assert_eq!(world.account.counters().mapped_bytes, 2 * page(), "{size}");
                }
            });
            mapping.truncate(8 * page()).unwrap();
            assert_eq!(status("VmLck"), 8 * page());
        });
    });
}

#[test]
fn given_locking_allowed_when_an_empty_file_is_locked_then_it_is_fine() {
    let world = locking(1);
    world.file("f", b"");
    let mapping = world.map("f", &locked(READ));
    assert_eq!(mapping.position(), Ok(0));
    assert_eq!(world.account.counters().locked_bytes, 0);
}
