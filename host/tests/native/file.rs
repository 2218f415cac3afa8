//! Mapping a file that is open already: what its descriptor and the permissions allow, and that the
//! mapping outlives the descriptor.

use crate::support::*;
use iommap::{Error, FsPerms, Mapping, OpenOptions, Usage};
use std::fs::{self, File};
use std::sync::Arc;

fn reading(world: &World) -> Arc<File> {
    File::open(world.path("f")).unwrap().into()
}

fn both(world: &World) -> Arc<File> {
    File::options().read(true).write(true).open(world.path("f")).unwrap().into()
}

fn map(
    world: &World,
    file: &Arc<File>,
    perms: FsPerms,
    options: &OpenOptions,
) -> Result<Mapping, Error> {
    Mapping::from_file(file, "f", perms, &world.usage, options)
}

#[test]
fn a_mapping_outlives_the_descriptor_and_the_name() {
    let world = World::new();
    world.file("f", b"hello");
    let file = both(&world);
    let mapping = map(&world, &file, FsPerms::ReadWrite, &READ_WRITE).unwrap();
    drop(file);
    fs::remove_file(world.path("f")).unwrap();
    mapping.set_len(7).unwrap();
    mapping.pwrite(5, b"!!").unwrap();
    let mut bytes = [0; 7];
    mapping.pread(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"hello!!");
    assert_eq!(mapping.name(), "f");
    drop(mapping);
    assert_eq!(world.usage.counters().mappings, 0);
}

#[test]
fn an_open_file_is_mapped_within_its_permissions() {
    let world = World::new();
    world.file("f", b"hello");
    // The descriptor would allow more.
    let file = both(&world);
    let grown = PRIVATE.size(6);
    for options in [WRITE, READ_WRITE, grown] {
        let refused = map(&world, &file, FsPerms::ReadOnly, &options);
        assert_eq!(refused.unwrap_err(), Eacces, "{options:?}");
    }
    map(&world, &file, FsPerms::ReadOnly, &READ).unwrap();
    let private = map(&world, &file, FsPerms::ReadOnly, &PRIVATE).unwrap();
    private.pwrite(0, b"J").unwrap();
    assert_eq!(world.contents("f"), b"hello");
}

#[test]
fn a_descriptor_holds_where_permissions_say_more() {
    let world = World::new();
    world.file("f", b"hello");
    let file = reading(&world);
    for options in [WRITE, READ_WRITE] {
        let refused = map(&world, &file, FsPerms::ReadWrite, &options);
        assert_eq!(refused.unwrap_err(), Eacces, "{options:?}");
    }
    // What needs no more than to read the file is fine, and a size that it has.
    for options in [READ, READ.private(true), PRIVATE, PRIVATE.size(5), READ.size(5)] {
        let mapping = map(&world, &file, FsPerms::ReadWrite, &options).unwrap();
        assert_eq!(all(&mapping), b"hello", "{options:?}");
        assert_eq!(mapping.set_len(4), Err(Eacces.into()), "{options:?}");
    }
    let writing: Arc<File> = File::options().write(true).open(world.path("f")).unwrap().into();
    for options in [READ, WRITE, PRIVATE] {
        let refused = map(&world, &writing, FsPerms::ReadWrite, &options);
        assert_eq!(refused.unwrap_err(), Eacces, "{options:?}");
    }
    assert_eq!(world.contents("f"), b"hello");
    assert_eq!(world.usage.counters().mapped_bytes, 0);
}

#[test]
fn a_private_mapping_of_an_open_file_grows_it_and_writes_none_of_it() {
    let world = World::new();
    world.file("f", b"hello");
    let grown = map(&world, &both(&world), FsPerms::ReadWrite, &PRIVATE.size(2 * page())).unwrap();
    grown.pwrite(page(), b"mine").unwrap();
    assert_eq!(bytes(&grown, page(), 4), b"mine");
    assert_eq!(grown.set_len(1), Err(Eacces.into()));
    assert_eq!(grown.sync(iommap::SyncMode::Sync), Ok(()));
    let mut expected = b"hello".to_vec();
    expected.resize(2 * page() as usize, 0);
    assert_same!(world.contents("f"), expected);
    // Neither permissions nor a descriptor for reading let it grow any more.
    let more = PRIVATE.size(3 * page());
    for (file, perms) in [(both(&world), FsPerms::ReadOnly), (reading(&world), FsPerms::ReadWrite)]
    {
        assert_eq!(map(&world, &file, perms, &more).unwrap_err(), Eacces);
    }
    assert_same!(world.contents("f"), expected);
}

#[test]
fn options_of_opening_are_badarg_for_an_open_file() {
    let world = World::new();
    world.file("f", b"hello");
    let file = both(&world);
    let exclusive = CREATE.exclusive(true);
    let contradiction = PRIVATE.shared(true);
    for options in [CREATE, TRUNCATE, exclusive, contradiction] {
        let refused = map(&world, &file, FsPerms::ReadWrite, &options);
        assert_eq!(refused.unwrap_err(), Badarg, "{options:?}");
    }
    assert_eq!(world.contents("f"), b"hello");
}

#[test]
fn an_open_directory_or_device_is_enotreg() {
    let world = World::new();
    for path in [world.path("."), "/dev/null".into()] {
        let file = File::open(path).unwrap().into();
        assert_eq!(map(&world, &file, FsPerms::ReadOnly, &READ).unwrap_err(), Enotreg);
    }
}

#[test]
fn limits_hold_for_open_files() {
    let world = World::new();
    world.file("f", b"hello");
    let file = both(&world);
    let limits = limits(|l| {
        l.mappings = 1;
        l.file_bytes = 10;
    });
    let usage = Usage::new(limits);
    let map = |options| Mapping::from_file(&file, "f", FsPerms::ReadWrite, &usage, options);
    let lock = READ.lock(true);
    assert_eq!(map(&lock).unwrap_err(), Eacces);
    let long = READ_WRITE.size(11);
    assert_eq!(map(&long).unwrap_err(), LimitExceeded);
    let held = map(&READ).unwrap();
    assert_eq!(map(&READ).unwrap_err(), LimitExceeded);
    drop(held);
    map(&READ_WRITE.size(10)).unwrap();
    assert_eq!(world.length("f"), 10);
}
