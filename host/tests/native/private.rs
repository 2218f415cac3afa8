//! Private mappings: what is written through them stays theirs; what the options ask is the
//! file's.

use crate::support::*;

#[test]
fn a_private_write_is_seen_by_its_mapping_alone() {
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
fn the_mode_of_a_private_mapping_holds() {
    let world = World::new();
    world.file("f", b"contents");
    let reading = world.map("f", &READ.private(true));
    assert_eq!(all(&reading), b"contents");
    assert_eq!(reading.pwrite(0, b""), Err(Eacces.into()));
    let writing = world.map("f", &WRITE.private(true));
    writing.pwrite(0, b"C").unwrap();
    assert_eq!(writing.pread(0, &mut []), Err(Eacces.into()));
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn a_private_mapping_cannot_change_the_length() {
    let world = World::new();
    world.file("f", b"contents");
    for access in [READ, WRITE, READ_WRITE] {
        let mapping = world.map("f", &access.private(true));
        for size in [0, 4, 8, 100, u64::MAX] {
            assert_eq!(mapping.set_len(size), Err(Eacces.into()), "{access:?} {size}");
        }
        assert_eq!(mapping.len(), Ok(8));
    }
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn private_with_create_makes_a_file_and_writes_none_of_it() {
    let world = World::new();
    let options = CREATE.private(true).exclusive(true).size(5000);
    let mapping = world.map("f", &options);
    assert_eq!(world.length("f"), 5000);
    assert!(world.allocated("f") >= 5000);
    mapping.pwrite(4000, b"mine").unwrap();
    assert_eq!(bytes(&mapping, 4000, 4), b"mine");
    assert_same!(world.contents("f"), vec![0; 5000]);
    assert_eq!(mapping.set_len(1), Err(Eacces.into()));
    // Without a size it is an empty file.
    assert_eq!(world.map("g", &CREATE.private(true)).len(), Ok(0));
    assert_eq!(world.length("g"), 0);
}

#[test]
fn private_with_truncate_empties_the_file() {
    let world = World::new();
    world.file("f", &pattern(3 * page()));
    let options = TRUNCATE.private(true).size(100);
    let mapping = world.map("f", &options);
    mapping.pwrite(0, b"mine").unwrap();
    assert_same!(world.contents("f"), vec![0; 100]);
    assert_eq!(bytes(&mapping, 0, 5), b"mine\0");
    drop(mapping);
    drop(world.map("f", &TRUNCATE.private(true)));
    assert_eq!(world.length("f"), 0);
}

#[test]
fn private_with_a_size_grows_the_file_and_never_cuts_it() {
    let world = World::new();
    for access in [WRITE, READ_WRITE] {
        world.file("f", b"contents");
        let private = access.private(true);
        let grown = world.map("f", &private.size(2 * page()));
        assert_eq!(grown.len(), Ok(2 * page()));
        grown.pwrite(page(), b"mine").unwrap();
        assert_eq!(world.length("f"), 2 * page());
        assert!(world.allocated("f") >= 2 * page());
        let same = world.map("f", &private.size(3));
        assert_eq!(same.len(), Ok(2 * page()));
        let contents = world.contents("f");
        assert_eq!(&contents[..8], b"contents");
        assert!(contents[8..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn private_reading_with_a_size_that_grows_is_badarg() {
    let world = World::new();
    world.file("f", b"contents");
    let options = READ.private(true).size(9);
    assert_eq!(world.refused("f", &options), Badarg);
    assert_eq!(world.contents("f"), b"contents");
}
