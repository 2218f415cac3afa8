//! Private mappings: what is written through them stays theirs; what the options ask is the
//! file's.

mod support;

use iommap::{Error, OpenOptions};
use support::*;

#[test]
fn given_a_private_mapping_when_written_then_it_alone_sees_it() {
    let world = World::new();
    let contents = pattern(2 * page());
    world.file("f", &contents);
    let (mine, other) = (world.map("f", &PRIVATE), world.map("f", &READ));
    mine.pwrite(page() - 1, b"ab").unwrap();
    assert_eq!(bytes(&mine, page() - 1, 2), b"ab");
    assert_same!(all(&other), contents);
    assert_same!(world.contents("f"), contents);
    mine.sync(iommap::SyncMode::Sync).unwrap();
    mine.close().unwrap();
    assert_same!(world.contents("f"), contents);
    // The next one starts from the file again.
    assert_same!(all(&world.map("f", &PRIVATE)), contents);
}

#[test]
fn given_a_private_mapping_in_each_mode_when_used_then_the_mode_holds() {
    let world = World::new();
    world.file("f", b"contents");
    let reading = world.map("f", &OpenOptions { private: true, ..READ });
    assert_eq!(all(&reading), b"contents");
    assert_eq!(reading.pwrite(0, b""), Err(Error::Acces));
    let writing = world.map("f", &OpenOptions { private: true, ..WRITE });
    writing.pwrite(0, b"C").unwrap();
    assert_eq!(writing.pread(0, &mut []), Err(Error::Acces));
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn given_a_private_mapping_when_truncated_then_eacces_and_both_stay_as_they_are() {
    let world = World::new();
    world.file("f", b"contents");
    for access in [READ, WRITE, READ_WRITE] {
        let mapping = world.map("f", &OpenOptions { private: true, ..access.clone() });
        for size in [0, 4, 8, 100, u64::MAX] {
            assert_eq!(mapping.truncate(size), Err(Error::Acces), "{access:?} {size}");
        }
        assert_eq!(mapping.position(), Ok(8));
    }
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn given_private_with_create_when_opened_then_the_file_is_made_and_writes_stay_out_of_it() {
    let world = World::new();
    let options = OpenOptions { private: true, exclusive: true, size: Some(5000), ..CREATE };
    let mapping = world.map("f", &options);
    assert_eq!(world.length("f"), 5000);
    assert!(world.allocated("f") >= 5000);
    mapping.pwrite(4000, b"mine").unwrap();
    assert_eq!(bytes(&mapping, 4000, 4), b"mine");
    assert_same!(world.contents("f"), vec![0; 5000]);
    assert_eq!(mapping.truncate(1), Err(Error::Acces));
    // Without a size it is an empty file.
    assert_eq!(world.map("g", &OpenOptions { private: true, ..CREATE }).position(), Ok(0));
    assert_eq!(world.length("g"), 0);
}

#[test]
fn given_private_with_truncate_when_opened_then_the_file_is_emptied() {
    let world = World::new();
    world.file("f", &pattern(3 * page()));
    let options = OpenOptions { private: true, size: Some(100), ..TRUNCATE };
    let mapping = world.map("f", &options);
    mapping.pwrite(0, b"mine").unwrap();
    assert_same!(world.contents("f"), vec![0; 100]);
    assert_eq!(bytes(&mapping, 0, 5), b"mine\0");
    drop(mapping);
    drop(world.map("f", &OpenOptions { private: true, ..TRUNCATE }));
    assert_eq!(world.length("f"), 0);
}

#[test]
fn given_private_with_a_size_when_opened_then_the_file_grows_and_never_shrinks() {
    let world = World::new();
    for access in [WRITE, READ_WRITE] {
        world.file("f", b"contents");
        let private = OpenOptions { private: true, ..access };
        let grown = world.map("f", &OpenOptions { size: Some(2 * page()), ..private.clone() });
        assert_eq!(grown.position(), Ok(2 * page()));
        grown.pwrite(page(), b"mine").unwrap();
        assert_eq!(world.length("f"), 2 * page());
        assert!(world.allocated("f") >= 2 * page());
        let same = world.map("f", &OpenOptions { size: Some(3), ..private });
        assert_eq!(same.position(), Ok(2 * page()));
        let contents = world.contents("f");
        assert_eq!(&contents[..8], b"contents");
        assert!(contents[8..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn given_a_private_mapping_in_mode_read_when_a_size_would_grow_the_file_then_badarg() {
    let world = World::new();
    world.file("f", b"contents");
    let options = OpenOptions { private: true, size: Some(9), ..READ };
    assert_eq!(world.refused("f", &options), Error::BadArg);
    assert_eq!(world.contents("f"), b"contents");
}
