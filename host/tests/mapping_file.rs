//! Mapping a file that is open already: what its descriptor and the permissions allow, and that the
//! mapping outlives the descriptor.

mod support;

use iommap::{Account, Error, FsPerms, Limits, Mapping, OpenOptions};
use std::fs::{self, File};
use std::sync::Arc;
use support::{CREATE, PRIVATE, READ, READ_WRITE, TRUNCATE, WRITE, World};

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
    Mapping::from_file(file, "f", perms, &world.account, options)
}

#[test]
fn given_an_open_file_when_mapped_then_the_mapping_outlives_the_descriptor_and_the_name() {
    let world = World::new();
    world.file("f", b"hello");
    let file = both(&world);
    let mapping = map(&world, &file, FsPerms::ReadWrite, &READ_WRITE).unwrap();
    drop(file);
    fs::remove_file(world.path("f")).unwrap();
    mapping.truncate(7).unwrap();
    mapping.pwrite(5, b"!!").unwrap();
    let mut bytes = [0; 7];
    mapping.pread(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"hello!!");
    assert_eq!(mapping.name(), "f");
    drop(mapping);
    assert_eq!(world.account.counters().mappings, 0);
}

#[test]
fn given_permissions_when_a_file_is_mapped_then_no_more_than_they_allow() {
    let world = World::new();
    world.file("f", b"hello");
    // The descriptor would allow more.
    let file = both(&world);
    let grown = OpenOptions { size: Some(6), ..PRIVATE };
    for options in [WRITE, READ_WRITE, grown] {
        let refused = map(&world, &file, FsPerms::ReadOnly, &options);
        assert_eq!(refused.unwrap_err(), Error::Acces, "{options:?}");
    }
    map(&world, &file, FsPerms::ReadOnly, &READ).unwrap();
    let private = map(&world, &file, FsPerms::ReadOnly, &PRIVATE).unwrap();
    private.pwrite(0, b"J").unwrap();
    assert_eq!(world.contents("f"), b"hello");
}

#[test]
fn given_a_descriptor_when_permissions_say_more_then_it_holds() {
    let world = World::new();
    world.file("f", b"hello");
    let file = reading(&world);
    for options in [WRITE, READ_WRITE] {
        let refused = map(&world, &file, FsPerms::ReadWrite, &options);
        assert_eq!(refused.unwrap_err(), Error::Acces, "{options:?}");
    }
    let writing: Arc<File> = File::options().write(true).open(world.path("f")).unwrap().into();
    for options in [READ, WRITE, PRIVATE] {
        let refused = map(&world, &writing, FsPerms::ReadWrite, &options);
        assert_eq!(refused.unwrap_err(), Error::Acces, "{options:?}");
    }
    assert_eq!(world.contents("f"), b"hello");
    assert_eq!(world.account.counters().mapped_bytes, 0);
}

#[test]
fn given_options_of_opening_when_a_file_is_mapped_then_they_are_a_bad_argument() {
    let world = World::new();
    world.file("f", b"hello");
    let file = both(&world);
    let exclusive = OpenOptions { exclusive: true, ..CREATE };
    let contradiction = OpenOptions { shared: true, ..PRIVATE };
    for options in [CREATE, TRUNCATE, exclusive, contradiction] {
        let refused = map(&world, &file, FsPerms::ReadWrite, &options);
        assert_eq!(refused.unwrap_err(), Error::BadArg, "{options:?}");
    }
    assert_eq!(world.contents("f"), b"hello");
}

#[test]
fn given_what_is_no_regular_file_when_mapped_then_enotreg() {
    let world = World::new();
    for path in [world.path("."), "/dev/null".into()] {
        let file = File::open(path).unwrap().into();
        assert_eq!(map(&world, &file, FsPerms::ReadOnly, &READ).unwrap_err(), Error::NotReg);
    }
}

#[test]
fn given_a_limit_when_files_are_mapped_then_it_holds() {
    let world = World::new();
    world.file("f", b"hello");
    let file = both(&world);
    let limits = Limits { mappings: 1, file_bytes: 10, ..Limits::default() };
    let account = Account::new(limits);
    let map = |options| Mapping::from_file(&file, "f", FsPerms::ReadWrite, &account, options);
    let lock = OpenOptions { lock: true, ..READ };
    assert_eq!(map(&lock).unwrap_err(), Error::Acces);
    let long = OpenOptions { size: Some(11), ..READ_WRITE };
    assert_eq!(map(&long).unwrap_err(), Error::LimitExceeded);
    let held = map(&READ).unwrap();
    assert_eq!(map(&READ).unwrap_err(), Error::LimitExceeded);
    drop(held);
    map(&OpenOptions { size: Some(10), ..READ_WRITE }).unwrap();
    assert_eq!(world.length("f"), 10);
}
