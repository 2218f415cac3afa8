//! Grants inside grants, and files that can't be mapped though they look like it.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{FsPerms, Grants, Limits, Usage};
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::sync::Arc;

#[test]
fn a_grant_for_reading_inside_one_for_writing_is_refused() {
    let world = World::new();
    fs::create_dir_all(world.path("ro/deep")).unwrap();
    symlink("ro", world.path("link")).unwrap();
    let refused = |grants: &Grants, path: &str, name: &str| {
        let mut grants = grants.clone();
        let granted = grants.preopened_dir(world.path(path), name, FsPerms::ReadOnly).map(drop);
        assert_eq!(granted.unwrap_err().kind(), io::ErrorKind::InvalidInput, "{path} {name}");
    };
    // By `..` or a link, its files could be written through the outer one. Whatever its name, and
    // whichever way it leads there.
    for path in ["ro", "ro/deep", "link", "ro/../ro/deep"] {
        for name in ["/d/ro", "/other", "/"] {
            refused(&world.grants, path, name);
        }
    }
    // And in the other order.
    let mut inner = Grants::default();
    inner.preopened_dir(world.path("ro"), "/ro", FsPerms::ReadOnly).unwrap();
    let outer = inner.preopened_dir(world.path("."), "/d", FsPerms::ReadWrite).map(drop);
    assert_eq!(outer.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    // Nothing was added by what was refused.
    assert_eq!(inner.directories().count(), 1);
    // What reads only, or writes more inside, is fine.
    let mut reading = Grants::default();
    reading.preopened_dir(world.path("."), "/d", FsPerms::ReadOnly).unwrap();
    reading.preopened_dir(world.path("ro"), "/ro", FsPerms::ReadOnly).unwrap();
    reading.preopened_dir(world.path("ro/deep"), "/deep", FsPerms::ReadWrite).unwrap();
    // So is one directory under two names: the other name is there for all to see.
    let mut both = Grants::default();
    both.preopened_dir(world.path("."), "/d", FsPerms::ReadWrite).unwrap();
    both.preopened_dir(world.path("."), "/r", FsPerms::ReadOnly).unwrap();
}

#[test]
fn a_file_beside_a_lent_mapping_is_what_the_directory_grants() {
    let world = World::read_only();
    fs::create_dir(world.path("x")).unwrap();
    world.file("f", b"in the directory");
    world.file("other", b"lent");
    let mapping = Arc::new(world.map("other", &READ));
    let mut grants = world.grants.clone();
    grants.share("/d/f", mapping, FsPerms::ReadOnly);
    let usage = Usage::new(Limits::default());
    assert_eq!(all(&grants.open(&usage, "/d/f", &READ).unwrap()), b"lent");
    // Its name is taken; the file is not hidden, and no more than the directory's grant allows.
    assert_eq!(all(&grants.open(&usage, "/d/x/../f", &READ).unwrap()), b"in the directory");
    assert_eq!(grants.open(&usage, "/d/x/../f", &READ_WRITE).map(drop), Err(Eacces.into()));
    assert_eq!(world.contents("f"), b"in the directory");
}

#[test]
fn a_file_of_length_zero_that_cannot_be_mapped_is_enotsup() {
    let proc = World::at("/proc".as_ref(), Limits::default(), FsPerms::ReadOnly);
    for name in ["cpuinfo", "self/status", "self/maps"] {
        if !proc.path(name).exists() {
            println!("skipped: /proc/{name} is not there");
            continue;
        }
        for options in [READ, PRIVATE, READ.populate(true)] {
            assert_eq!(proc.refused(name, &options), Enotsup, "{name} {options:?}");
        }
    }
    proc.assert_idle();
    // One that is merely empty is fine, on every file system.
    for directory in ["/dev/shm", "/tmp"] {
        let Ok(directory) = tempfile::TempDir::new_in(directory) else { continue };
        let world = World::at(directory.path(), Limits::default(), FsPerms::ReadWrite);
        world.file("f", b"");
        for options in [READ, READ_WRITE, PRIVATE, CREATE] {
            assert_eq!(world.map("f", &options).len(), Ok(0), "{options:?}");
        }
    }
}

#[test]
fn a_hole_that_is_populated_on_a_full_tmpfs_harms_nobody() {
    on_small_disk(1 << 20, |disk| {
        let world = World::at(disk, Limits::default(), FsPerms::ReadOnly);
        world.sparse("hole", 8 << 20);
        // More than there is: the open does not fail of it, and pages without room are `sigbus`.
        let mapping = world.map("hole", &READ.populate(true));
        let mut lost = 0;
        for at in (0..8 << 20).step_by(page() as usize) {
            match mapping.pread(at, &mut [0]) {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error, Sigbus);
                    lost += 1;
                }
            }
        }
        assert_eq!(world.usage.counters().faults_recovered, lost);
        drop(mapping);
        world.assert_idle();
    });
}
