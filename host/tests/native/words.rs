//! Words that are read and changed at once: what comes of each operation, what may be done to which
//! mapping, and what is said when a page is gone.
#![cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]

use crate::support::*;
use iommap::guard::atomic::Word;
use iommap::{Change, Error, Mapping};
use std::fmt::Debug;

/// What comes of a word and a value.
type Made = fn(u64, u64) -> u64;

/// What may be done to a word, as numbers of any size say it.
const CHANGES: [(Change, Made); 5] = [
    (Change::Add, u64::wrapping_add),
    (Change::And, |word, value| word & value),
    (Change::Or, |word, value| word | value),
    (Change::Xor, |word, value| word ^ value),
    (Change::Exchange, |_, value| value),
];

const VALUES: [u64; 5] = [0, 1, 0xffff_ffff, 0x0123_4567_89ab_cdef, u64::MAX];

#[test]
fn a_word_is_what_each_operation_makes_of_it() {
    let world = World::new();
    world.file("f", &pattern(64));
    let mapping = world.map("f", &READ_WRITE);
    let bytes = bytes(&mapping, 16, 8);
    assert_eq!(mapping.load::<u64>(16).unwrap().to_le_bytes(), bytes[..]);
    assert_eq!(mapping.load::<u32>(20).unwrap().to_le_bytes(), bytes[4..]);
    for (word, value) in VALUES.into_iter().flat_map(|word| VALUES.map(|value| (word, value))) {
        for (change, result) in CHANGES {
            mapping.store(16, word).unwrap();
            assert_eq!(mapping.change(16, change, value), Ok(word));
            assert_eq!(
                mapping.load(16),
                Ok(result(word, value)),
                "{change:?} {word:#x} {value:#x}"
            );
            let (word, value) = (word as u32, value as u32);
            mapping.store(24, word).unwrap();
            assert_eq!(mapping.change(24, change, value), Ok(word));
            let result = result(word.into(), value.into()) as u32;
            assert_eq!(mapping.load(24), Ok(result), "{change:?} {word:#x} {value:#x}");
        }
        mapping.store(16, word).unwrap();
        let found = mapping.compare_exchange(16, value, 7);
        assert_eq!(found, Ok(if word == value { Ok(word) } else { Err(word) }));
        assert_eq!(mapping.load(16), Ok(if word == value { 7 } else { word }));
    }
    // Their neighbours, and the file.
    let contents = world.contents("f");
    assert_same!(contents[..16], pattern(64)[..16]);
    assert_same!(contents[28..], pattern(64)[28..]);
    assert_eq!(contents[16..24], mapping.load::<u64>(16).unwrap().to_le_bytes());
}

/// Each operation on a word of one size: whether it is of those that load, store, and do both.
fn each<W: Word + Debug>(mapping: &Mapping, offset: u64, value: W) -> [Result<(), Error>; 4] {
    [
        mapping.load::<W>(offset).map(drop),
        mapping.store(offset, value),
        mapping.change(offset, Change::Or, value).map(drop),
        mapping.compare_exchange(offset, value, value).map(drop),
    ]
}

#[test]
fn what_a_mapping_does_not_allow_is_refused_first() {
    let world = World::new();
    world.file("f", &[0; 16]);
    let no = Err(Error::from(Eacces));
    for (options, expected) in [
        (READ, [Ok(()), no.clone(), no.clone(), no.clone()]),
        (WRITE, [no.clone(), Ok(()), no.clone(), no.clone()]),
        (READ_WRITE, [Ok(()), Ok(()), Ok(()), Ok(())]),
        (READ.private(true), [Ok(()), no.clone(), no.clone(), no.clone()]),
        (PRIVATE, [Ok(()), no.clone(), no.clone(), no.clone()]),
    ] {
        let mapping = world.map("f", &options);
        assert_eq!(each(&mapping, 8, 5_u32), expected, "{options:?}");
        assert_eq!(each(&mapping, 8, 5_u64), expected, "{options:?}");
        // What is allowed is refused for its offset, and all of it once it is closed.
        for (offset, kind) in
            [(1, Badarg), (u64::MAX, Badarg), (16, OutOfBounds), (1 << 63, OutOfBounds)]
        {
            let refused = expected.clone().map(|expected| expected.and(Err(kind.into())));
            assert_eq!(each(&mapping, offset, 5_u64), refused, "{options:?} {offset}");
            assert_eq!(each(&mapping, offset, 5_u32), refused, "{options:?} {offset}");
        }
        mapping.close().unwrap();
        assert_eq!(each(&mapping, 1, 5_u64), [(); 4].map(|()| Err(Closed.into())));
    }
    assert_eq!(each(&world.map("f", &READ_WRITE), 12, 5_u64), [(); 4].map(|()| Err(Badarg.into())));
    // All of a word lies inside.
    world.set_length("f", 13);
    let mapping = world.map("f", &READ_WRITE);
    assert_eq!(each(&mapping, 8, 5_u32), [(); 4].map(Ok));
    assert_eq!(each(&mapping, 8, 5_u64), [(); 4].map(|()| Err(OutOfBounds.into())));
    world.file("empty", b"");
    assert_eq!(world.map("empty", &READ_WRITE).load::<u32>(0), Err(OutOfBounds.into()));
}

#[test]
fn what_is_written_privately_is_read_by_the_word() {
    let world = World::new();
    world.file("f", &[0; 16]);
    let mapping = world.map("f", &PRIVATE);
    mapping.pwrite(8, &[1, 0, 0, 0]).unwrap();
    assert_eq!(mapping.load::<u64>(8), Ok(1));
    assert_eq!(world.map("f", &READ).load::<u64>(8), Ok(0));
}

#[test]
fn a_word_on_a_lost_page_is_sigbus_by_every_operation() {
    in_child(|| {
        let world = World::new();
        world.file("f", &pattern(2 * page()));
        let mapping = world.map("f", &READ_WRITE);
        world.set_length("f", page());
        let lost = [(); 4].map(|()| Err(Error::from(Sigbus)));
        for offset in [page(), 2 * page() - 8] {
            assert_eq!(each(&mapping, offset, 5_u32), lost);
            assert_eq!(each(&mapping, offset, 5_u64), lost);
            for (change, _) in CHANGES {
                assert_eq!(mapping.change(offset, change, 5_u32), Err(Sigbus.into()));
                assert_eq!(mapping.change(offset, change, 5_u64), Err(Sigbus.into()));
            }
        }
        assert_eq!(world.usage.counters().faults_recovered, 36);
        mapping.change(page() - 8, Change::Exchange, 9_u64).unwrap();
        assert_eq!(mapping.load(page() - 8), Ok(9_u64));
        // A page that comes back is zeros, since nothing was changed.
        world.set_length("f", 2 * page());
        assert_eq!(mapping.change(page(), Change::Add, 3_u64), Ok(0));
        assert_eq!(mapping.load(page()), Ok(3_u64));
    });
}

#[test]
fn stores_that_add_to_one_word_lose_nothing() {
    const STORES: u64 = 4;
    const ROUNDS: u64 = 5000;
    let world = World::new();
    world.file("f", &[0; 64]);
    std::thread::scope(|scope| {
        for store in 0..STORES {
            let mapping = world.map("f", &READ_WRITE);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    mapping.change(0, Change::Add, (1_u64 << 32) + 1).unwrap();
                    mapping.change(8, Change::Add, 1_u32).unwrap();
                    // One word as a lock, and a number that is read and written under it.
                    while mapping.compare_exchange(16, 0, store + 1).unwrap().is_err() {
                        std::thread::yield_now();
                    }
                    let mut number = [0; 8];
                    mapping.pread(24, &mut number).unwrap();
                    let next = u64::from_le_bytes(number) + 1;
                    mapping.pwrite(24, &next.to_le_bytes()).unwrap();
                    assert_eq!(mapping.change(16, Change::Exchange, 0_u64), Ok(store + 1));
                }
            });
        }
    });
    let mapping = world.map("f", &READ);
    let all = STORES * ROUNDS;
    assert_eq!(mapping.load(0), Ok((all << 32) + all));
    assert_eq!((mapping.load(8), mapping.load(24)), (Ok(all as u32), Ok(all)));
}

#[test]
fn processes_meet_on_a_word_without_a_call_to_the_kernel() {
    const FILE: &str = "IOMMAP_TEST_WORDS_FILE";
    const ROUNDS: u64 = 500;
    let world = World::new();
    let path = world.file("f", &[0; 16]);
    let mapping = world.map("f", &READ_WRITE);
    let prepare = |mut command: std::process::Command| {
        command.env(FILE, &path);
        command
    };
    // One says odd numbers and the other even ones, each when it has heard the one before.
    let mut heard = 0;
    let answer = || {
        let said = mapping.load::<u64>(8).unwrap();
        if said == 2 * heard + 1 {
            heard += 1;
            mapping.store(8, 2 * heard).unwrap();
        }
    };
    iommap_child::in_child_while(prepare, answer, || {
        let path = std::env::var_os(FILE).unwrap();
        let mapping = Mapping::options().read(true).write(true).open(path).unwrap();
        for round in 0..ROUNDS {
            assert_eq!(mapping.compare_exchange(8, 2 * round, 2 * round + 1), Ok(Ok(2 * round)));
            while mapping.load(8) != Ok(2 * round + 2) {
                std::thread::yield_now();
            }
        }
    })
    .assert_done();
    assert_eq!((heard, mapping.load(8)), (ROUNDS, Ok(2 * ROUNDS)));
}
