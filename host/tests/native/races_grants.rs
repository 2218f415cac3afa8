//! Grants inside grants, and files that can't be mapped though they look like it.

use crate::support::*;
use iommap::{FsPerms, Limits, Usage};
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

#[test]
fn a_grant_for_reading_inside_another_is_a_boundary_by_any_path() {
    let world = World::new();
    fs::create_dir(world.path("ro")).unwrap();
    fs::create_dir(world.path("x")).unwrap();
    world.file("ro/f", b"inner");
    symlink("ro", world.path("link")).unwrap();
    symlink("../ro/f", world.path("x/f")).unwrap();
    let mut grants = world.grants.clone();
    if grants.preopened_dir(world.path("ro"), "/d/ro", FsPerms::ReadOnly).is_err() {
        // Then nobody relies on it.
        return;
    }
    let usage = Usage::new(Limits::default());
    for path in ["/d/ro/f", "/d/x/../ro/f", "/d/link/f", "/d/x/f", "/d/./x/.././ro//f"] {
        for options in [WRITE, READ_WRITE, TRUNCATE, CREATE, PRIVATE.size(100)] {
            let opened = grants.open(&usage, path, &options);
            assert_eq!(opened.map(drop), Err(Eacces.into()), "{path} {options:?}");
        }
    }
    for path in ["/d/ro/new", "/d/x/../ro/new", "/d/link/new"] {
        let opened = grants.open(&usage, path, &CREATE);
        assert_eq!(opened.map(drop), Err(Eacces.into()), "{path}");
    }
    assert_eq!(world.contents("ro/f"), b"inner");
    assert_eq!(fs::read_dir(world.path("ro")).unwrap().count(), 1);
}

#[test]
fn a_lent_mapping_hides_a_file_by_any_path() {
    let world = World::new();
    fs::create_dir(world.path("x")).unwrap();
    world.file("f", b"to be hidden");
    world.file("other", b"lent");
    let mapping = Arc::new(world.map("other", &READ));
    let mut grants = world.grants.clone();
    grants.share("/d/f", mapping, FsPerms::ReadOnly);
    let usage = Usage::new(Limits::default());
    assert_eq!(all(&grants.open(&usage, "/d/f", &READ).unwrap()), b"lent");
    match grants.open(&usage, "/d/x/../f", &READ) {
        Ok(found) => assert_eq!(all(&found), b"lent"),
        Err(error) => assert_eq!(error, Eacces),
    }
    assert_eq!(grants.open(&usage, "/d/x/../f", &READ_WRITE).map(drop), Err(Eacces.into()));
    assert_eq!(world.contents("f"), b"to be hidden");
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
