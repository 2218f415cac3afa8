//! The embedder's limits: each is exact, and what was used comes back on every path.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::Limits;
use iommap::OpenOptions;

#[test]
fn at_the_limit_on_mappings_one_must_go_first() {
    let world = World::limited(limits(|l| l.mappings = 2));
    world.file("f", b"contents");
    let one = world.map("f", &READ);
    let two = world.map("f", &READ_WRITE);
    for options in [READ, READ_WRITE, PRIVATE, TRUNCATE] {
        assert_eq!(world.refused("f", &options), LimitExceeded, "{options:?}");
    }
    assert_eq!(world.refused("new", &CREATE), LimitExceeded);
    assert_eq!(world.names(), ["f"]);
    one.close().unwrap();
    let three = world.map("f", &READ);
    assert_eq!(world.refused("f", &READ), LimitExceeded);
    drop(two);
    drop(world.map("f", &READ));
    drop(three);
    world.assert_idle();
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn no_mappings_allowed_is_limit_exceeded() {
    let world = World::limited(limits(|l| l.mappings = 0));
    world.file("f", b"contents");
    assert_eq!(world.refused("f", &READ), LimitExceeded);
    // What is wrong by itself is said all the same.
    assert_eq!(world.refused("f", &READ.create(true)), Badarg);
}

#[test]
fn the_limit_on_mapped_bytes_holds_for_all_together() {
    let world = World::limited(limits(|l| l.mapped_bytes = 10));
    world.file("six", b"666666");
    world.file("four", b"4444");
    world.file("five", b"55555");
    world.file("eleven", b"11111111111");
    world.file("empty", b"");
    assert_eq!(world.refused("eleven", &READ), LimitExceeded);
    let six = world.map("six", &READ);
    assert_eq!(world.refused("five", &READ), LimitExceeded);
    let four = world.map("four", &READ_WRITE);
    assert_eq!(world.usage.counters().mapped_bytes, 10);
    drop(world.map("empty", &READ));
    assert_eq!(four.set_len(5), Err(LimitExceeded.into()));
    four.set_len(3).unwrap();
    assert_eq!(world.usage.counters().mapped_bytes, 9);
    four.set_len(4).unwrap();
    drop(six);
    assert_eq!(world.usage.counters().mapped_bytes, 4);
    drop(world.map("six", &READ));
    four.set_len(10).unwrap();
    drop(four);
    world.assert_idle();
}

#[test]
fn an_open_over_the_limit_leaves_the_file_as_it_was() {
    let world = World::limited(limits(|l| l.mapped_bytes = 100));
    world.file("f", b"contents");
    for size in [101, 1 << 40, 1 << 63, u64::MAX] {
        for options in [READ_WRITE, CREATE, TRUNCATE, PRIVATE] {
            let options = options.size(size);
            let error = world.refused("f", &options);
            assert_eq!(error, LimitExceeded, "{options:?}");
        }
        let options = CREATE.size(size).truncate(true);
        assert_eq!(world.refused("new", &options), LimitExceeded, "{options:?}");
    }
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["f"]);
    world.assert_idle();
}

#[test]
fn no_file_is_made_longer_than_its_limit() {
    let world = World::limited(limits(|l| l.file_bytes = 100));
    world.file("f", b"contents");
    world.file("long", &[7; 300]);
    let sized = |size, options: OpenOptions| options.size(size);
    for options in [WRITE, READ_WRITE, CREATE, TRUNCATE, PRIVATE] {
        assert_eq!(world.refused("f", &sized(101, options)), LimitExceeded);
    }
    assert_eq!(world.refused("new", &sized(101, CREATE)), LimitExceeded);
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["f", "long"]);
    drop(world.map("new", &sized(100, CREATE)));
    assert_eq!(world.length("new"), 100);
    // A file that others made longer may be mapped, and cut, but not grown.
    let long = world.map("long", &sized(200, READ_WRITE));
    assert_eq!(long.len(), Ok(300));
    assert_eq!(long.set_len(301), Err(LimitExceeded.into()));
    long.set_len(200).unwrap();
    assert_eq!(long.set_len(201), Err(LimitExceeded.into()));
    long.set_len(50).unwrap();
    long.set_len(100).unwrap();
    assert_eq!(long.set_len(101), Err(LimitExceeded.into()));
    assert_eq!(world.contents("long")[..50], [7; 50]);
}

#[test]
fn a_call_over_its_limit_moves_nothing() {
    let world = World::limited(limits(|l| l.call_bytes = 10));
    let contents = pattern(100);
    world.file("f", &contents);
    let mapping = world.map("f", &READ_WRITE);
    assert_same!(bytes(&mapping, 90, 10), contents[90..]);
    mapping.pwrite(90, &contents[90..]).unwrap();
    let mut target = [0xee; 11];
    assert_eq!(mapping.pread(0, &mut target), Err(LimitExceeded.into()));
    assert_eq!(target, [0xee; 11]);
    assert_eq!(mapping.pwrite(0, &[0; 11]), Err(LimitExceeded.into()));
    // Out of bounds comes first.
    assert_eq!(mapping.pread(90, &mut target), Err(OutOfBounds.into()));
    assert_eq!(mapping.pwrite(90, &[0; 11]), Err(OutOfBounds.into()));
    assert_same!(world.contents("f"), contents);
    // It is the bytes of one call, not of all.
    for _ in 0..100 {
        bytes(&mapping, 0, 10);
    }
}

#[test]
fn the_default_limits_are_those_of_the_design() {
    let limits = Limits::default();
    assert_eq!(limits.mappings, 64);
    assert_eq!(limits.mapped_bytes, 64 << 30);
    assert_eq!(limits.call_bytes, 64 << 20);
    assert_eq!(limits.locked_bytes, 0);
    let world = World::new();
    world.file("f", b"contents");
    let held: Vec<_> = (0..64).map(|_| world.map("f", &READ)).collect();
    assert_eq!(world.refused("f", &READ), LimitExceeded);
    drop(held);
    let large = world.sparse("large", (64 << 30) + 1);
    assert_eq!(world.refused("large", &READ), LimitExceeded);
    assert_eq!(mapped_ranges(&large), 0);
    assert_eq!(world.usage.limits(), &limits);
}

#[test]
fn a_refused_open_leaves_nothing_reserved() {
    let limits = limits(|l| {
        l.mapped_bytes = 1 << 20;
        l.file_bytes = 1 << 20;
        l.locked_bytes = page();
    });
    let world = World::limited(limits);
    world.file("f", b"contents");
    world.file("pages", &pattern(2 * page()));
    std::fs::create_dir(world.path("dir")).unwrap();
    for (name, options, error) in [
        ("f", READ.create(true), Badarg),
        ("f", READ.size(9), Badarg),
        ("none", READ, Enoent),
        ("../f", READ, Eacces),
        ("dir", READ, Enotreg),
        ("f", CREATE.exclusive(true), Eexist),
        ("f", READ_WRITE.size(2 << 20), LimitExceeded),
        ("pages", READ.lock(true), LimitExceeded),
        ("new", CREATE.lock(true).size(2 * page()), LimitExceeded),
    ] {
        assert_eq!(world.refused(name, &options), error, "{name} {options:?}");
        world.assert_idle();
    }
    assert_eq!(world.names(), ["dir", "f", "pages"]);
    assert_eq!(world.usage.counters().opened, 0);
}

#[test]
fn one_stores_limit_does_not_concern_another() {
    let limits = limits(|l| l.mappings = 1);
    let (one, two) = (World::limited(limits.clone()), World::limited(limits));
    one.file("f", b"one");
    two.file("f", b"two");
    let _held = one.map("f", &READ);
    assert_eq!(one.refused("f", &READ), LimitExceeded);
    assert_eq!(all(&two.map("f", &READ)), b"two");
}
