//! The embedder's limits: each is exact, and what was used comes back on every path.

mod support;

use iommap::{Error, Limits, OpenOptions};
use support::*;

#[test]
fn given_a_limit_on_mappings_when_reached_then_no_more_until_one_goes() {
    let world = World::limited(Limits { mappings: 2, ..Limits::default() });
    world.file("f", b"contents");
    let one = world.map("f", &READ);
    let two = world.map("f", &READ_WRITE);
    for options in [READ, READ_WRITE, PRIVATE, TRUNCATE] {
        assert_eq!(world.refused("f", &options), Error::LimitExceeded, "{options:?}");
    }
    assert_eq!(world.refused("new", &CREATE), Error::LimitExceeded);
    assert_eq!(world.names(), ["f"]);
    one.close().unwrap();
    let three = world.map("f", &READ);
    assert_eq!(world.refused("f", &READ), Error::LimitExceeded);
    drop(two);
    drop(world.map("f", &READ));
    drop(three);
    world.assert_idle();
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn given_no_mappings_allowed_when_opened_then_limit_exceeded() {
    let world = World::limited(Limits { mappings: 0, ..Limits::default() });
    world.file("f", b"contents");
    assert_eq!(world.refused("f", &READ), Error::LimitExceeded);
    // What is wrong by itself is said all the same.
    assert_eq!(world.refused("f", &OpenOptions { create: true, ..READ }), Error::BadArg);
}

#[test]
fn given_a_limit_on_mapped_bytes_when_reached_by_all_mappings_together_then_no_more() {
    let world = World::limited(Limits { mapped_bytes: 10, ..Limits::default() });
    world.file("six", b"666666");
    world.file("four", b"4444");
    world.file("five", b"55555");
    world.file("eleven", b"11111111111");
    world.file("empty", b"");
    assert_eq!(world.refused("eleven", &READ), Error::LimitExceeded);
    let six = world.map("six", &READ);
    assert_eq!(world.refused("five", &READ), Error::LimitExceeded);
    let four = world.map("four", &READ_WRITE);
    assert_eq!(world.account.counters().mapped_bytes, 10);
    drop(world.map("empty", &READ));
    assert_eq!(four.truncate(5), Err(Error::LimitExceeded));
    four.truncate(3).unwrap();
    assert_eq!(world.account.counters().mapped_bytes, 9);
    four.truncate(4).unwrap();
    drop(six);
    assert_eq!(world.account.counters().mapped_bytes, 4);
    drop(world.map("six", &READ));
    four.truncate(10).unwrap();
    drop(four);
    world.assert_idle();
}

#[test]
fn given_a_limit_on_mapped_bytes_when_an_open_is_refused_then_the_file_is_as_it_was() {
    let world = World::limited(Limits { mapped_bytes: 100, ..Limits::default() });
    world.file("f", b"contents");
    for size in [101, 1 << 40, 1 << 63, u64::MAX] {
        for options in [READ_WRITE, CREATE, TRUNCATE, PRIVATE] {
            let options = OpenOptions { size: Some(size), ..options };
            let error = world.refused("f", &options);
            assert_eq!(error, Error::LimitExceeded, "{options:?}");
        }
        let options = OpenOptions { size: Some(size), truncate: true, ..CREATE };
        assert_eq!(world.refused("new", &options), Error::LimitExceeded, "{options:?}");
    }
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["f"]);
    world.assert_idle();
}

#[test]
fn given_a_limit_on_file_length_when_a_file_would_be_made_longer_then_limit_exceeded() {
    let world = World::limited(Limits { file_bytes: 100, ..Limits::default() });
    world.file("f", b"contents");
    world.file("long", &[7; 300]);
    let sized = |size, options| OpenOptions { size: Some(size), ..options };
    for options in [WRITE, READ_WRITE, CREATE, TRUNCATE, PRIVATE] {
        assert_eq!(world.refused("f", &sized(101, options)), Error::LimitExceeded);
    }
    assert_eq!(world.refused("new", &sized(101, CREATE)), Error::LimitExceeded);
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["f", "long"]);
    drop(world.map("new", &sized(100, CREATE)));
    assert_eq!(world.length("new"), 100);
    // A file that others made longer may be mapped, and cut, but not grown.
    let long = world.map("long", &sized(200, READ_WRITE));
    assert_eq!(long.position(), Ok(300));
    assert_eq!(long.truncate(301), Err(Error::LimitExceeded));
    long.truncate(200).unwrap();
    assert_eq!(long.truncate(201), Err(Error::LimitExceeded));
    long.truncate(50).unwrap();
    long.truncate(100).unwrap();
    assert_eq!(long.truncate(101), Err(Error::LimitExceeded));
    assert_eq!(world.contents("long")[..50], [7; 50]);
}

#[test]
fn given_a_limit_on_a_calls_bytes_when_passed_then_limit_exceeded_and_nothing_moves() {
    let world = World::limited(Limits { call_bytes: 10, ..Limits::default() });
    let contents = pattern(100);
    world.file("f", &contents);
    let mapping = world.map("f", &READ_WRITE);
    assert_same!(bytes(&mapping, 90, 10), contents[90..]);
    mapping.pwrite(90, &contents[90..]).unwrap();
    let mut target = [0xee; 11];
    assert_eq!(mapping.pread(0, &mut target), Err(Error::LimitExceeded));
    assert_eq!(target, [0xee; 11]);
    assert_eq!(mapping.pwrite(0, &[0; 11]), Err(Error::LimitExceeded));
    // Out of bounds comes first.
    assert_eq!(mapping.pread(90, &mut target), Err(Error::OutOfBounds));
    assert_eq!(mapping.pwrite(90, &[0; 11]), Err(Error::OutOfBounds));
    assert_same!(world.contents("f"), contents);
    // It is the bytes of one call, not of all.
    for _ in 0..100 {
        bytes(&mapping, 0, 10);
    }
}

#[test]
fn given_the_default_limits_when_asked_then_they_are_those_of_the_design() {
    let limits = Limits::default();
    assert_eq!(limits.mappings, 64);
    assert_eq!(limits.mapped_bytes, 64 << 30);
    assert_eq!(limits.call_bytes, 64 << 20);
    assert_eq!(limits.locked_bytes, 0);
    let world = World::new();
    world.file("f", b"contents");
    let held: Vec<_> = (0..64).map(|_| world.map("f", &READ)).collect();
    assert_eq!(world.refused("f", &READ), Error::LimitExceeded);
    drop(held);
    let large = world.sparse("large", (64 << 30) + 1);
    assert_eq!(world.refused("large", &READ), Error::LimitExceeded);
    assert_eq!(mapped_ranges(&large), 0);
    assert_eq!(world.account.limits(), &limits);
}

#[test]
fn given_every_reason_to_refuse_an_open_when_it_is_refused_then_nothing_stays_charged() {
    let limits = Limits {
        mapped_bytes: 1 << 20,
        file_bytes: 1 << 20,
        locked_bytes: page(),
        ..Limits::default()
    };
    let world = World::limited(limits);
    world.file("f", b"contents");
    world.file("pages", &pattern(2 * page()));
    std::fs::create_dir(world.path("dir")).unwrap();
    for (name, options, error) in [
        ("f", OpenOptions { create: true, ..READ }, Error::BadArg),
        ("f", OpenOptions { size: Some(9), ..READ }, Error::BadArg),
        ("none", READ, Error::NoEnt),
        ("../f", READ, Error::Acces),
        ("dir", READ, Error::NotReg),
        ("f", OpenOptions { exclusive: true, ..CREATE }, Error::Exist),
        ("f", OpenOptions { size: Some(2 << 20), ..READ_WRITE }, Error::LimitExceeded),
        ("pages", OpenOptions { lock: true, ..READ }, Error::LimitExceeded),
        ("new", OpenOptions { lock: true, size: Some(2 * page()), ..CREATE }, Error::LimitExceeded),
    ] {
        assert_eq!(world.refused(name, &options), error, "{name} {options:?}");
        world.assert_idle();
    }
    assert_eq!(world.names(), ["dir", "f", "pages"]);
    assert_eq!(world.account.counters().opened, 0);
}

#[test]
fn given_two_stores_when_one_reaches_its_limit_then_the_other_is_not_concerned() {
    let limits = Limits { mappings: 1, ..Limits::default() };
    let (one, two) = (World::limited(limits.clone()), World::limited(limits));
    one.file("f", b"one");
    two.file("f", b"two");
    let _held = one.map("f", &READ);
    assert_eq!(one.refused("f", &READ), Error::LimitExceeded);
    assert_eq!(all(&two.map("f", &READ)), b"two");
}
