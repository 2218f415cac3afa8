//! What is on the device: a file's entry in its directory, and many mappings at once.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{Error, FsPerms, Grants, Limits, Mapping, OpenOptions, Usage};
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

#[test]
fn the_entry_is_that_of_the_file_where_the_path_leads() {
    let world = World::new();
    fs::create_dir(world.path("in")).unwrap();
    let mapping = world.map("in/f", &CREATE.size(9));
    assert_eq!(mapping.sync_entry(), Ok(()));
    // Under another name, in another's place, as a link, in a directory that is another by now.
    fs::rename(world.path("in/f"), world.path("in/g")).unwrap();
    assert_eq!(mapping.sync_entry(), Err(Enoent.into()));
    world.file("in/f", b"another");
    assert_eq!(mapping.sync_entry(), Err(Enoent.into()));
    fs::remove_file(world.path("in/f")).unwrap();
    symlink("g", world.path("in/f")).unwrap();
    assert_eq!(mapping.sync_entry(), Err(Enoent.into()));
    fs::rename(world.path("in/g"), world.path("in/f")).unwrap();
    assert_eq!(mapping.sync_entry(), Ok(()));
    fs::rename(world.path("in"), world.path("out")).unwrap();
    assert_eq!(mapping.sync_entry(), Err(Enoent.into()));
    world.file("in", b"no directory");
    assert_eq!(mapping.sync_entry(), Err(Enoent.into()));
    fs::remove_file(world.path("in")).unwrap();
    // By a link to where it is.
    symlink("out", world.path("in")).unwrap();
    assert_eq!(mapping.sync_entry(), Ok(()));
    // And out of the grant, by the same path.
    let elsewhere = tempfile::tempdir().unwrap();
    fs::hard_link(world.path("out/f"), elsewhere.path().join("f")).unwrap();
    fs::remove_file(world.path("in")).unwrap();
    symlink(elsewhere.path(), world.path("in")).unwrap();
    assert_eq!(mapping.sync_entry(), Err(Eacces.into()));
    mapping.close().unwrap();
    assert_eq!(mapping.sync_entry(), Err(Closed.into()));
}

#[test]
fn what_has_no_entry_of_its_own_is_refused() {
    let world = World::new();
    let path = world.file("f", b"contents");
    for options in [&READ, &PRIVATE] {
        assert_eq!(world.map("f", options).sync_entry(), Err(Eacces.into()));
    }
    let file = fs::File::options().read(true).write(true).open(&path).unwrap().into();
    let usage = Usage::new(Limits::default());
    let opened = Mapping::from_file(&file, "f", FsPerms::ReadWrite, &usage, &READ_WRITE).unwrap();
    assert_eq!(opened.sync_entry(), Err(Enotsup.into()));
    // A program's own has one, and shares it with nobody.
    let own = Mapping::options().read(true).write(true).open(&path).unwrap();
    assert_eq!(own.sync_entry(), Ok(()));
    let mut grants = Grants::default();
    grants.share("/shared", own, FsPerms::ReadWrite);
    let lent = grants.open(&usage, "/shared", &READ_WRITE).unwrap();
    assert_eq!(lent.sync_entry(), Err(Eacces.into()));
    // Nothing is kept open for it.
    assert_eq!(descriptors(&world.path("")).len(), 1, "the grant's own");
}

#[test]
fn a_synced_entry_is_on_the_device() {
    // What the disk is kept on is a file, in which the name shows once the directory was written.
    let script = "truncate -s 8M image && mkfs.ext4 -q -F -m 0 -O ^has_journal image && \
        mount -o loop image \"$0\" && ln -s \"$PWD/image\" \"$0/image\"";
    on_mount("an ext4 without a journal", script, |disk| {
        let image = fs::read_link(disk.join("image")).unwrap();
        let has = |name: &str| {
            let bytes = fs::read(&image).unwrap();
            bytes.windows(name.len()).any(|window| window == name.as_bytes())
        };
        let world = World::at(disk, Limits::default(), FsPerms::ReadWrite);
        let name = format!("entry-{:016x}", fastrand::u64(..));
        let mapping = world.map(&name, &CREATE.size(9));
        assert!(!has(&name), "the check finds what is not there yet");
        mapping.sync_entry().unwrap();
        assert!(has(&name));
    });
}

fn store(grants: &Grants, name: &str, options: &OpenOptions) -> Mapping {
    grants.open(&Usage::new(Limits::default()), name, options).unwrap()
}

#[track_caller]
fn failed(done: Result<(), (usize, Error)>) -> usize {
    let (index, error) = done.expect_err("it fails");
    assert!([Eio, Enospc].contains(&error.kind()), "{error}");
    index
}

#[test]
fn many_mappings_are_synced_though_one_of_them_fails() {
    on_failing_disk(|disk| {
        const SIZE: u64 = 16 << 20;
        let well = tempfile::tempdir().unwrap();
        let mut grants = Grants::default();
        grants.preopened_dir(disk, "/ill", FsPerms::ReadWrite).unwrap();
        grants.preopened_dir(well.path(), "/well", FsPerms::ReadWrite).unwrap();
        let [first, last] =
            ["/well/f", "/well/g"].map(|name| store(&grants, name, &CREATE.size(page())));
        let [ill, iller] =
            ["/ill/f", "/ill/g"].map(|name| store(&grants, name, &CREATE.size(SIZE)));
        assert_eq!(Mapping::sync_many(&[&first, &ill, &last]), Ok(()));
        for mapping in [&ill, &iller] {
            mapping.pwrite(0, &vec![0x77; SIZE as usize]).unwrap();
        }
        for mapping in [&first, &last] {
            mapping.pwrite(0, b"changed").unwrap();
        }
        assert_eq!(failed(Mapping::sync_many(&[&first, &ill, &iller, &last])), 1);
        // What had failed, and was not the first, is not forgotten; nor is the first.
        assert_eq!(failed(Mapping::sync_many(&[&first, &last, &iller])), 2);
        assert_eq!(failed(Mapping::sync_many(&[&ill])), 0);
        assert_eq!(Mapping::sync_many(&[&last, &first]), Ok(()));
        for name in ["f", "g"] {
            assert_eq!(fs::read(well.path().join(name)).unwrap()[..7], *b"changed");
        }
    });
}

#[test]
fn nothing_is_synced_where_one_is_closed() {
    let world = World::new();
    let [one, closed, other] =
        ["a", "b", "c"].map(|name| Arc::new(world.map(name, &CREATE.size(page()))));
    closed.close().unwrap();
    let reader = world.map("a", &READ);
    assert_eq!(Mapping::sync_many(&[]), Ok(()));
    assert_eq!(Mapping::sync_many(&[&reader, &one, &one, &other]), Ok(()));
    assert_eq!(Mapping::sync_many(&[&one, &reader, &closed, &closed]), Err((2, Closed.into())));
}
