//! A file that is cut under its mapping: `sigbus` and never a signal.
//!
//! Each runs in a process of its own: what fails here is a crash.

use crate::support::*;
use iommap::{Advice, OpenOptions, Range};

fn kinds() -> [OpenOptions; 4] {
    [READ, READ_WRITE, READ.private(true), PRIVATE]
}

#[test]
fn a_file_cut_to_nothing_is_sigbus_and_the_host_lives() {
    in_child(|| {
        let world = World::new();
        for options in kinds() {
            world.file("f", &pattern(4 * page()));
            let mapping = world.map("f", &options);
            world.set_length("f", 0);
            for offset in [0, 1, page() - 1, page(), 3 * page() + 7, 4 * page() - 1] {
                assert_eq!(mapping.pread(offset, &mut [0]), Err(Sigbus.into()), "{options:?}");
            }
            let mut whole = vec![0; 4 * page() as usize];
            assert_eq!(mapping.pread(0, &mut whole), Err(Sigbus.into()), "{options:?}");
            // Nothing is read of no page.
            assert_eq!(mapping.pread(page(), &mut []), Ok(()));
            assert_eq!(mapping.pread(4 * page(), &mut [0]), Err(OutOfBounds.into()));
            assert_eq!(mapping.len(), Ok(4 * page()));
        }
        assert_eq!(world.usage.counters().faults_recovered, 7 * 4);
        assert_eq!(world.usage.counters().bytes_read, 0);
    });
}

#[test]
fn a_file_cut_in_mid_page_reads_zeros_to_its_end() {
    in_child(|| {
        let world = World::new();
        let contents = pattern(4 * page());
        for options in kinds() {
            for populate in [false, true] {
                world.file("f", &contents);
                let mapping = world.map("f", &options.populate(populate));
                let cut = page() + 100;
                world.set_length("f", cut);
                assert_same!(bytes(&mapping, 0, cut), contents[..cut as usize], "{options:?}");
                let rest = bytes(&mapping, cut, page() - 100);
                assert!(rest.iter().all(|byte| *byte == 0), "{options:?}");
                assert_eq!(mapping.pread(2 * page(), &mut [0]), Err(Sigbus.into()), "{options:?}");
                let across = &mut [0; 2];
                assert_eq!(mapping.pread(2 * page() - 1, across), Err(Sigbus.into()));
                assert_eq!(mapping.pread(2 * page() - 1, &mut [0]), Ok(()));
            }
        }
    });
}

#[test]
fn a_write_past_a_cut_is_sigbus_and_nothing_grows() {
    in_child(|| {
        let world = World::new();
        world.file("f", &pattern(4 * page()));
        let mapping = world.map("f", &READ_WRITE);
        world.set_length("f", 100);
        for offset in [page(), 2 * page() + 5, 4 * page() - 1] {
            assert_eq!(mapping.pwrite(offset, b"x"), Err(Sigbus.into()), "{offset}");
        }
        // Across the border a part may have been written, and it says so all the same.
        let long = vec![b'x'; 2 * page() as usize];
        assert_eq!(mapping.pwrite(50, &long), Err(Sigbus.into()));
        assert_eq!(mapping.pwrite(0, b"here"), Ok(()));
        assert_eq!(mapping.pwrite(page(), b""), Ok(()));
        assert_eq!(world.length("f"), 100);
        assert_eq!(world.contents("f")[..4], *b"here");
        let counted = world.usage.counters();
        assert_eq!((counted.faults_recovered, counted.bytes_written), (4, 4));
    });
}

#[test]
fn a_file_that_grows_back_serves_the_same_mapping() {
    in_child(|| {
        let world = World::new();
        let contents = pattern(4 * page());
        for options in kinds() {
            world.file("f", &contents);
            let mapping = world.map("f", &options);
            for _ in 0..3 {
                world.set_length("f", 0);
                assert_eq!(mapping.pread(page(), &mut [0]), Err(Sigbus.into()), "{options:?}");
                world.set_length("f", 4 * page());
                assert_eq!(bytes(&mapping, page(), 4), [0; 4], "{options:?}");
                std::fs::write(world.path("f"), &contents).unwrap();
                assert_same!(all(&mapping), contents, "{options:?}");
            }
            if options == READ_WRITE {
                mapping.pwrite(2 * page(), b"again").unwrap();
                assert_eq!(world.contents("f")[2 * page() as usize..][..5], *b"again");
            }
        }
    });
}

#[test]
fn a_new_length_mends_a_mapping_of_a_cut_file() {
    in_child(|| {
        let world = World::new();
        let contents = pattern(4 * page());
        world.file("f", &contents);
        let mapping = world.map("f", &READ_WRITE);
        world.set_length("f", 10);
        assert_eq!(mapping.pread(page(), &mut [0]), Err(Sigbus.into()));
        mapping.set_len(4 * page()).unwrap();
        let mut expected = contents[..10].to_vec();
        expected.resize(4 * page() as usize, 0);
        assert_same!(all(&mapping), expected);
        mapping.pwrite(3 * page(), b"fine").unwrap();
    });
}

#[test]
fn one_lost_range_among_many_is_sigbus() {
    in_child(|| {
        let world = World::new();
        let contents = pattern(4 * page());
        world.file("f", &contents);
        let mapping = world.map("f", &READ_WRITE);
        world.set_length("f", page());
        let here = Range { offset: 8, length: 4 };
        let gone = Range { offset: 2 * page(), length: 4 };
        let empty = Range { offset: 2 * page(), length: 0 };
        assert_eq!(mapping.pread_many(&[here, gone, here], &mut [0; 12]), Err(Sigbus.into()));
        assert_eq!(mapping.pwrite_many(&[gone, here], b"gonehere"), Err(Sigbus.into()));
        let mut target = [0; 8];
        mapping.pread_many(&[here, empty, here], &mut target).unwrap();
        assert_eq!(target[..4], contents[8..12]);
        assert_eq!(target[4..], contents[8..12]);
        mapping.pwrite_many(&[empty, here], b"here").unwrap();
        assert_eq!(world.contents("f")[8..12], *b"here");
        assert_eq!(world.usage.counters().faults_recovered, 2);
    });
}

#[test]
fn a_cut_takes_private_pages_and_no_read_crashes() {
    in_child(|| {
        let world = World::new();
        world.file("f", &pattern(4 * page()));
        let mapping = world.map("f", &PRIVATE);
        mapping.pwrite(page(), b"mine").unwrap();
        world.set_length("f", 10);
        // A cut takes copies of pages too, as POSIX has it; and a hint must not bring it about.
        for offset in [page(), 2 * page()] {
            assert_eq!(mapping.pread(offset, &mut [0; 4]), Err(Sigbus.into()), "{offset}");
            assert_eq!(mapping.pwrite(offset, b"x"), Err(Sigbus.into()), "{offset}");
        }
        assert_same!(bytes(&mapping, 0, 10), pattern(10));
    });
}

#[test]
fn hints_and_syncs_on_a_cut_file_crash_nothing() {
    in_child(|| {
        let world = World::new();
        for options in kinds() {
            world.file("f", &pattern(4 * page()));
            let mapping = world.map("f", &options);
            world.set_length("f", 10);
            for hint in [Advice::WillNeed, Advice::DontNeed, Advice::Random, Advice::Sequential] {
                assert_eq!(mapping.advise(0, 0, hint), Ok(()), "{options:?} {hint:?}");
                assert_eq!(mapping.advise(page(), 1, hint), Ok(()), "{options:?} {hint:?}");
            }
            assert_eq!(mapping.sync(iommap::SyncMode::Sync), Ok(()), "{options:?}");
            assert_eq!(mapping.pread(page(), &mut [0]), Err(Sigbus.into()), "{options:?}");
            assert_same!(bytes(&mapping, 0, 10), pattern(10), "{options:?}");
        }
    });
}

#[test]
fn reads_of_every_length_across_a_cut_are_right_or_sigbus() {
    in_child(|| {
        let world = World::new();
        let contents = pattern(3 * page());
        world.file("f", &contents);
        let mapping = world.map("f", &READ);
        for pages in [2, 1] {
            let border = pages * page();
            world.set_length("f", border);
            for before in (0..130).chain([500, 1000, page() - 1, page()]) {
                for after in [0, 1, 2, 15, 16, 17, 63, 64, 65, 500, page()] {
                    let mut target = vec![0; (before + after) as usize];
                    let result = mapping.pread(border - before, &mut target);
                    if after == 0 {
                        assert_eq!(result, Ok(()), "{before} {after}");
                        assert_eq!(target, contents[(border - before) as usize..border as usize]);
                    } else {
                        assert_eq!(result, Err(Sigbus.into()), "{before} {after}");
                    }
                }
            }
        }
    });
}
