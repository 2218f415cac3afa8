//! Opening a file: modes, options, and the size it is given.

use crate::support::*;
use iommap::{AccessMode, OpenOptions};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_mapping_has_the_bytes_and_length_of_its_file() {
    let world = World::new();
    let contents = pattern(3 * page() + 17);
    world.file("f", &contents);
    for (access, options) in [
        (AccessMode::Read, READ),
        (AccessMode::ReadWrite, READ_WRITE),
        (AccessMode::ReadWrite, READ_WRITE.shared(true)),
    ] {
        let mapping = world.map("f", &options);
        assert_eq!(mapping.len(), Ok(contents.len() as u64));
        assert_same!(all(&mapping), contents);
        assert_eq!(mapping.access(), access);
    }
}

#[test]
fn writing_to_a_read_mapping_is_eacces_even_for_nothing() {
    let world = World::new();
    world.file("f", b"abc");
    let mapping = world.map("f", &READ);
    assert_eq!(mapping.pwrite(0, b"x"), Err(Eacces.into()));
    assert_eq!(mapping.pwrite(0, b""), Err(Eacces.into()));
    // The mode is checked before the range and before any limit.
    assert_eq!(mapping.pwrite(u64::MAX, b"x"), Err(Eacces.into()));
    assert_eq!(mapping.pwrite_many(&[], b""), Err(Eacces.into()));
    assert_eq!(world.contents("f"), b"abc");
}

#[test]
fn reading_a_write_mapping_is_eacces_even_for_nothing() {
    let world = World::new();
    world.file("f", b"abc");
    let mapping = world.map("f", &WRITE);
    assert_eq!(mapping.pread(0, &mut [0]), Err(Eacces.into()));
    assert_eq!(mapping.pread(0, &mut []), Err(Eacces.into()));
    assert_eq!(mapping.pread(u64::MAX, &mut [0]), Err(Eacces.into()));
    assert_eq!(mapping.pread_many(&[], &mut []), Err(Eacces.into()));
    mapping.pwrite(1, b"B").unwrap();
    assert_eq!(world.contents("f"), b"aBc");
}

#[test]
fn contradictory_options_are_badarg_and_change_nothing() {
    let world = World::new();
    world.file("f", b"contents");
    for access in [AccessMode::Read, AccessMode::Write, AccessMode::ReadWrite] {
        let plain = OpenOptions::new().access(access);
        let mut contradictions = vec![
            plain.shared(true).private(true),
            plain.shared(true).private(true).truncate(true),
            plain.exclusive(true),
            plain.exclusive(true).truncate(true).private(true),
        ];
        // What can only be told of a file that is there.
        let mut sizes = vec![];
        if access == AccessMode::Read {
            for private in [false, true] {
                let read = plain.private(private);
                contradictions.push(read.create(true));
                contradictions.push(read.truncate(true));
                contradictions.push(read.create(true).exclusive(true));
                sizes.extend([read.size(9), read.size(u64::MAX)]);
            }
        }
        for options in &contradictions {
            assert_eq!(world.refused("new", options), Badarg, "{options:?}");
        }
        for options in contradictions.iter().chain(&sizes) {
            assert_eq!(world.refused("f", options), Badarg, "{options:?}");
        }
    }
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["f"]);
    world.assert_idle();
}

#[test]
fn only_create_makes_a_missing_file() {
    let world = World::new();
    for options in [READ, WRITE, READ_WRITE, PRIVATE, TRUNCATE] {
        assert_eq!(world.refused("f", &options), Enoent, "{options:?}");
        let sized = options.size(10);
        assert_eq!(world.refused("f", &sized), Enoent, "{sized:?}");
    }
    assert!(world.names().is_empty());
    let mapping = world.map("f", &CREATE);
    assert_eq!(mapping.len(), Ok(0));
    assert_eq!(world.length("f"), 0);
}

#[test]
fn create_keeps_the_contents_of_a_file_that_is_there() {
    let world = World::new();
    world.file("f", b"kept");
    assert_eq!(all(&world.map("f", &CREATE)), b"kept");
    let longer = CREATE.size(6);
    assert_eq!(all(&world.map("f", &longer)), b"kept\0\0");
}

#[test]
fn exclusive_makes_a_file_or_is_eexist() {
    let world = World::new();
    let options = CREATE.exclusive(true).size(3);
    drop(world.map("f", &options));
    world.file("f", b"contents");
    assert_eq!(world.refused("f", &options), Eexist);
    let emptying = options.truncate(true);
    assert_eq!(world.refused("f", &emptying), Eexist);
    assert_eq!(world.contents("f"), b"contents");
    std::os::unix::fs::symlink("nothing", world.path("link")).unwrap();
    assert_eq!(world.refused("link", &emptying), Eexist);
    assert_eq!(world.names(), ["f", "link"]);
}

#[test]
fn truncate_empties_a_file_to_the_size_asked_for() {
    let world = World::new();
    let old = pattern(2 * page());
    for size in [None, Some(0), Some(5), Some(page()), Some(2 * page()), Some(3 * page() + 1)] {
        world.file("f", &old);
        let mapping = world.map("f", &sized(TRUNCATE, size));
        let size = size.unwrap_or(0);
        assert_same!(all(&mapping), vec![0; size as usize], "{size}");
        assert_same!(world.contents("f"), vec![0; size as usize], "{size}");
        assert!(world.allocated("f") >= size, "{size}: {}", world.allocated("f"));
    }
}

#[test]
fn a_size_leaves_a_longer_file_alone() {
    let world = World::new();
    world.file("f", b"contents");
    for access in [AccessMode::Read, AccessMode::Write, AccessMode::ReadWrite] {
        for size in [0, 1, 8] {
            let options = OpenOptions::new().access(access).size(size);
            assert_eq!(world.map("f", &options).len(), Ok(8), "{options:?}");
        }
    }
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn a_size_grows_a_shorter_file_with_its_blocks() {
    let world = World::new();
    for (name, options) in [("a", WRITE), ("b", READ_WRITE), ("c", CREATE)] {
        world.file(name, b"contents");
        let size = 256 * page() + 1;
        let mapping = world.map(name, &options.size(size));
        assert_eq!(mapping.len(), Ok(size));
        assert_eq!(world.length(name), size);
        assert!(world.allocated(name) >= size, "{name}: {}", world.allocated(name));
        let contents = world.contents(name);
        assert_eq!(&contents[..8], b"contents");
        assert!(contents[8..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_sparse_file_grows_by_allocated_blocks() {
    let world = World::new();
    let hole = 256 * page();
    world.sparse("f", hole + 100);
    let mapping = world.map("f", &READ_WRITE.size(2 * hole));
    assert_eq!(mapping.len(), Ok(2 * hole));
    assert!(world.allocated("f") >= hole - 100, "{}", world.allocated("f"));
}

#[test]
fn a_mapping_of_an_empty_file_serves_what_it_can() {
    let world = World::new();
    world.file("f", b"");
    for options in [READ, WRITE, READ_WRITE, PRIVATE, CREATE, TRUNCATE] {
        let mapping = world.map("f", &options.populate(true));
        assert_eq!(mapping.len(), Ok(0), "{options:?}");
        if reads(&options) {
            assert_eq!(mapping.pread(0, &mut []), Ok(()));
            assert_eq!(mapping.pread(0, &mut [0]), Err(OutOfBounds.into()));
            assert_eq!(mapping.pread(1, &mut []), Err(OutOfBounds.into()));
        }
        if writes(&options) {
            assert_eq!(mapping.pwrite(0, b""), Ok(()));
            assert_eq!(mapping.pwrite(0, b"x"), Err(OutOfBounds.into()));
        }
    }
    assert_eq!(world.length("f"), 0);
}

#[test]
fn a_new_file_has_mode_0666_less_the_umask() {
    in_child(|| {
        let world = World::new();
        for (umask, mode) in [(0o027, 0o640), (0o000, 0o666), (0o077, 0o600)] {
            // SAFETY: umask has no preconditions.
            unsafe { libc::umask(umask) };
            let name = format!("{mode:o}");
            drop(world.map(&name, &CREATE));
            let made = fs::metadata(world.path(&name)).unwrap().permissions().mode();
            assert_eq!(made & 0o7777, mode);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn no_descriptor_is_inherited_by_programs() {
    let world = World::new();
    let path = world.file("f", b"contents");
    for options in [WRITE, READ_WRITE, CREATE, TRUNCATE] {
        let mapping = world.map("f", &options);
        let open = descriptors(&path);
        assert_eq!(open.len(), 1, "{options:?}");
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", open[0])).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        let flags = i32::from_str_radix(flags.trim(), 8).unwrap();
        assert_ne!(flags & libc::O_CLOEXEC, 0, "{options:?}: {flags:o}");
        drop(mapping);
    }
    // Those that never change the file's length hold none at all.
    for options in [READ, PRIVATE, CREATE.private(true)] {
        let _mapping = world.map("f", &options);
        assert!(descriptors(&path).is_empty(), "{options:?}");
    }
}

#[test]
fn nocache_and_populate_change_nothing_but_speed() {
    let world = World::new();
    let contents = pattern(4 * page() + 1);
    world.file("f", &contents);
    for options in [READ, READ_WRITE, PRIVATE] {
        let options = options.nocache(true).populate(true);
        assert_same!(all(&world.map("f", &options)), contents, "{options:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn populate_has_every_page_there_and_its_absence_none() {
    let world = World::new();
    let size = 64 * page();
    let path = world.file("f", &pattern(size));
    for options in [READ, READ_WRITE, PRIVATE] {
        let plain = world.map("f", &options);
        assert_eq!(smaps(&path, "Rss"), 0, "{options:?}");
        drop(plain);
        let populated = world.map("f", &options.populate(true));
        assert_eq!(smaps(&path, "Rss"), size, "{options:?}");
        drop(populated);
    }
}
