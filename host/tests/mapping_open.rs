//! Opening a file: modes, options, and the size it is given.

mod support;

use iommap::{AccessMode, Error, OpenOptions};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use support::*;

#[test]
fn given_a_file_when_mapped_then_its_bytes_and_length_are_those_of_the_file() {
    let world = World::new();
    let contents = pattern(3 * page() + 17);
    world.file("f", &contents);
    for options in [READ, READ_WRITE, OpenOptions { shared: true, ..READ_WRITE }] {
        let mapping = world.map("f", &options);
        assert_eq!(mapping.position(), Ok(contents.len() as u64));
        assert_same!(all(&mapping), contents);
        assert_eq!(mapping.access(), options.access);
    }
}

#[test]
fn given_a_read_mapping_when_written_then_it_is_eacces_even_for_nothing() {
    let world = World::new();
    world.file("f", b"abc");
    let mapping = world.map("f", &READ);
    assert_eq!(mapping.pwrite(0, b"x"), Err(Error::Acces));
    assert_eq!(mapping.pwrite(0, b""), Err(Error::Acces));
    // The mode is checked before the range and before any limit.
    assert_eq!(mapping.pwrite(u64::MAX, b"x"), Err(Error::Acces));
    assert_eq!(mapping.pwrite_many(&[], b""), Err(Error::Acces));
    assert_eq!(world.contents("f"), b"abc");
}

#[test]
fn given_a_write_mapping_when_read_then_it_is_eacces_even_for_nothing() {
    let world = World::new();
    world.file("f", b"abc");
    let mapping = world.map("f", &WRITE);
    assert_eq!(mapping.pread(0, &mut [0]), Err(Error::Acces));
    assert_eq!(mapping.pread(0, &mut []), Err(Error::Acces));
    assert_eq!(mapping.pread(u64::MAX, &mut [0]), Err(Error::Acces));
    assert_eq!(mapping.pread_many(&[], &mut []), Err(Error::Acces));
    mapping.pwrite(1, b"B").unwrap();
    assert_eq!(world.contents("f"), b"aBc");
}

#[test]
fn given_contradictory_options_when_opened_then_badarg_and_the_file_is_untouched() {
    let world = World::new();
    world.file("f", b"contents");
    for access in [AccessMode::Read, AccessMode::Write, AccessMode::ReadWrite] {
        let plain = OpenOptions::new(access);
        let mut contradictions = vec![
            OpenOptions { shared: true, private: true, ..plain.clone() },
            OpenOptions { shared: true, private: true, truncate: true, ..plain.clone() },
            OpenOptions { exclusive: true, ..plain.clone() },
            OpenOptions { exclusive: true, truncate: true, private: true, ..plain.clone() },
        ];
        if access == AccessMode::Read {
            for private in [false, true] {
                let read = OpenOptions { private, ..plain.clone() };
                contradictions.push(OpenOptions { create: true, ..read.clone() });
                contradictions.push(OpenOptions { truncate: true, ..read.clone() });
                contradictions.push(OpenOptions { create: true, exclusive: true, ..read.clone() });
                contradictions.push(OpenOptions { size: Some(9), ..read.clone() });
                contradictions.push(OpenOptions { size: Some(u64::MAX), ..read });
            }
        }
        for options in contradictions {
            assert_eq!(world.refused("f", &options), Error::BadArg, "{options:?}");
            if options.size.is_none() {
                assert_eq!(world.refused("new", &options), Error::BadArg, "{options:?}");
            }
        }
    }
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["f"]);
    world.assert_idle();
}

#[test]
fn given_no_file_when_opened_without_create_then_enoent_and_with_it_an_empty_file_is_made() {
    let world = World::new();
    for options in [READ, WRITE, READ_WRITE, PRIVATE, TRUNCATE] {
        assert_eq!(world.refused("f", &options), Error::NoEnt, "{options:?}");
        let sized = OpenOptions { size: Some(10), ..options };
        assert_eq!(world.refused("f", &sized), Error::NoEnt, "{sized:?}");
    }
    assert!(world.names().is_empty());
    let mapping = world.map("f", &CREATE);
    assert_eq!(mapping.position(), Ok(0));
    assert_eq!(world.length("f"), 0);
}

#[test]
fn given_a_file_when_opened_with_create_then_it_keeps_its_contents() {
    let world = World::new();
    world.file("f", b"kept");
    assert_eq!(all(&world.map("f", &CREATE)), b"kept");
    let longer = OpenOptions { size: Some(6), ..CREATE };
    assert_eq!(all(&world.map("f", &longer)), b"kept\0\0");
}

#[test]
fn given_exclusive_when_the_file_exists_then_eexist_and_otherwise_it_is_made() {
    let world = World::new();
    let options = OpenOptions { exclusive: true, size: Some(3), ..CREATE };
    drop(world.map("f", &options));
    world.file("f", b"contents");
    assert_eq!(world.refused("f", &options), Error::Exist);
    let emptying = OpenOptions { truncate: true, ..options };
    assert_eq!(world.refused("f", &emptying), Error::Exist);
    assert_eq!(world.contents("f"), b"contents");
    std::os::unix::fs::symlink("nothing", world.path("link")).unwrap();
    assert_eq!(world.refused("link", &emptying), Error::Exist);
    assert_eq!(world.names(), ["f", "link"]);
}

#[test]
fn given_truncate_when_opened_then_the_file_is_emptied_and_has_the_size_asked_for() {
    let world = World::new();
    let old = pattern(2 * page());
    for size in [None, Some(0), Some(5), Some(page()), Some(2 * page()), Some(3 * page() + 1)] {
        world.file("f", &old);
        let mapping = world.map("f", &OpenOptions { size, ..TRUNCATE });
        let size = size.unwrap_or(0);
        assert_same!(all(&mapping), vec![0; size as usize], "{size}");
        assert_same!(world.contents("f"), vec![0; size as usize], "{size}");
        assert!(world.allocated("f") >= size, "{size}: {}", world.allocated("f"));
    }
}

#[test]
fn given_a_size_when_the_file_is_longer_then_it_is_left_alone() {
    let world = World::new();
    world.file("f", b"contents");
    for access in [AccessMode::Read, AccessMode::Write, AccessMode::ReadWrite] {
        for size in [0, 1, 8] {
            let options = OpenOptions { size: Some(size), ..OpenOptions::new(access) };
            assert_eq!(world.map("f", &options).position(), Ok(8), "{options:?}");
        }
    }
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn given_a_size_when_the_file_is_shorter_then_it_grows_with_its_blocks_allocated() {
    let world = World::new();
    for (name, options) in [("a", WRITE), ("b", READ_WRITE), ("c", CREATE)] {
        world.file(name, b"contents");
        let size = 256 * page() + 1;
        let mapping = world.map(name, &OpenOptions { size: Some(size), ..options });
        assert_eq!(mapping.position(), Ok(size));
        assert_eq!(world.length(name), size);
        assert!(world.allocated(name) >= size, "{name}: {}", world.allocated(name));
        let contents = world.contents(name);
        assert_eq!(&contents[..8], b"contents");
        assert!(contents[8..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn given_a_sparse_file_when_it_grows_then_the_new_part_is_allocated() {
    let world = World::new();
    let hole = 256 * page();
    world.sparse("f", hole + 100);
    let size = Some(2 * hole);
    let mapping = world.map("f", &OpenOptions { size, ..READ_WRITE });
    assert_eq!(mapping.position(), Ok(2 * hole));
    assert!(world.allocated("f") >= hole - 100, "{}", world.allocated("f"));
}

#[test]
fn given_an_empty_file_when_mapped_then_it_serves_what_an_empty_file_can() {
    let world = World::new();
    world.file("f", b"");
    for options in [READ, WRITE, READ_WRITE, PRIVATE, CREATE, TRUNCATE] {
        let mapping = world.map("f", &OpenOptions { populate: true, ..options.clone() });
        assert_eq!(mapping.position(), Ok(0), "{options:?}");
        if options.access.reads() {
            assert_eq!(mapping.pread(0, &mut []), Ok(()));
            assert_eq!(mapping.pread(0, &mut [0]), Err(Error::OutOfBounds));
            assert_eq!(mapping.pread(1, &mut []), Err(Error::OutOfBounds));
        }
        if options.access.writes() {
            assert_eq!(mapping.pwrite(0, b""), Ok(()));
            assert_eq!(mapping.pwrite(0, b"x"), Err(Error::OutOfBounds));
        }
    }
    assert_eq!(world.length("f"), 0);
}

#[test]
fn given_a_new_file_when_made_then_its_mode_is_0666_less_the_umask() {
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

#[test]
fn given_an_open_mapping_when_a_program_is_started_then_its_descriptors_are_not_inherited() {
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
    for options in [READ, PRIVATE, OpenOptions { private: true, ..CREATE }] {
        let _mapping = world.map("f", &options);
        assert!(descriptors(&path).is_empty(), "{options:?}");
    }
}

#[test]
fn given_nocache_and_populate_when_opened_then_they_change_nothing_but_speed() {
    let world = World::new();
    let contents = pattern(4 * page() + 1);
    world.file("f", &contents);
    for options in [READ, READ_WRITE, PRIVATE] {
        let options = OpenOptions { nocache: true, populate: true, ..options };
        assert_same!(all(&world.map("f", &options)), contents, "{options:?}");
    }
}

#[test]
fn given_populate_when_opened_then_every_page_is_there_and_without_it_none() {
    let world = World::new();
    let size = 64 * page();
    let path = world.file("f", &pattern(size));
    for options in [READ, READ_WRITE, PRIVATE] {
        let plain = world.map("f", &options);
        assert_eq!(smaps(&path, "Rss"), 0, "{options:?}");
        drop(plain);
        let populated = world.map("f", &OpenOptions { populate: true, ..options.clone() });
        assert_eq!(smaps(&path, "Rss"), size, "{options:?}");
        drop(populated);
    }
}
