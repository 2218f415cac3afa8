//! Random sequences of all operations, held to the model in `tests/model` after each step, while
//! others write, grow, cut, punch, rename over and unlink the files. A failure is shrunk to a
//! short sequence.
//!
//! `IOMMAP_CASES` sets how many sequences each test takes, in this process and as long as it may
//! take; without it each test has a process of its own, and not much time. `IOMMAP_REPLAY`, set to
//! the hexadecimal digits that a failure prints, takes that sequence alone.
#![cfg(target_os = "linux")]

use crate::support::{descriptors, in_child, mapped_ranges, this_program, this_test};
use iommap_model::{Actor, Handles, NAMES, Native, Operation, RECORD, Record, Tally, hold, serve};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use std::fmt::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use tempfile::TempDir;

/// How many operations a sequence has at most.
const LONGEST: usize = 80;

/// Where a process that plays somebody else finds its work.
const ACTOR: &str = "IOMMAP_TEST_ACTOR";

/// In a process of its own, or here if somebody has asked for many sequences.
fn isolated<F: FnOnce()>(body: F) {
    if std::env::var_os("IOMMAP_CASES").is_some() { body() } else { in_child(body) }
}

fn cases(usual: u32) -> u32 {
    let wanted = std::env::var("IOMMAP_CASES").ok();
    wanted.map_or(usual, |cases| cases.parse().expect("IOMMAP_CASES is a number"))
}

/// Holds the native layer to the model in a directory, with regions that mappings share or without.
fn hold_native(directory: &Path, share: bool, cases: u32, others: &mut dyn Actor) {
    let mut total = Tally::default();
    let mut one = |records: &[Record]| {
        let mut native = Native::new(directory, share).unwrap();
        let tally = hold(&mut native, others, directory, records, &mut |_, _| ())?;
        drop(native);
        for name in NAMES {
            let path = directory.join(name);
            let left = (descriptors(&path).len(), mapped_ranges(&path));
            if left != (0, 0) {
                return Err(format!("descriptors and mappings left of {name}: {left:?}"));
            }
        }
        total.add(tally);
        Ok(())
    };
    if let Ok(digits) = std::env::var("IOMMAP_REPLAY") {
        return one(&parse(&digits)).unwrap_or_else(|why| panic!("{why}"));
    }
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let one = std::cell::RefCell::new(one);
    let result = runner.run(&vec(any::<Record>(), 1..LONGEST), |records| {
        (one.borrow_mut())(&records).map_err(TestCaseError::fail)
    });
    if let Err(TestError::Fail(why, records)) = &result {
        panic!("{why}\n{}", show(records));
    }
    result.unwrap();
    println!("{cases} sequences: {total:?}");
    let [had, busy] = total.locks.map(|count| count > 0);
    let all =
        total.errors > 0 && total.faults > 0 && total.words > 0 && had && (busy || cases < 500);
    assert!(cases < 100 || all, "{total:?}");
}

fn show(records: &[Record]) -> String {
    let mut text = String::new();
    for record in records {
        _ = writeln!(text, "  {:.200}", format!("{:?}", Operation::decode(*record)));
    }
    text.push_str("IOMMAP_REPLAY=");
    for byte in records.iter().flatten() {
        _ = write!(text, "{byte:02x}");
    }
    text
}

fn parse(digits: &str) -> Vec<Record> {
    let bytes: Vec<u8> = (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("digits"))
        .collect();
    bytes.chunks_exact(RECORD).map(|chunk| chunk.try_into().expect("a record")).collect()
}

#[test]
fn the_model_holds_while_this_process_interferes() {
    isolated(|| {
        let directory = TempDir::new().unwrap();
        hold_native(directory.path(), false, cases(100), &mut Handles::new(directory.path()));
    });
}

#[test]
fn the_model_holds_for_files_in_memory() {
    isolated(|| {
        let memory = Path::new("/dev/shm");
        let directory = match memory.is_dir() {
            true => TempDir::new_in(memory).unwrap(),
            false => TempDir::new().unwrap(),
        };
        hold_native(directory.path(), true, cases(500), &mut Handles::new(directory.path()));
    });
}

#[test]
fn the_model_holds_while_another_process_interferes() {
    if let Some(place) = std::env::var_os(ACTOR) {
        let place = Path::new(&place);
        return serve(UnixStream::connect(place.join("socket")).unwrap(), place).unwrap();
    }
    isolated(|| {
        let directory = TempDir::new().unwrap();
        let listener = UnixListener::bind(directory.path().join("socket")).unwrap();
        let this = this_test(|| ());
        let mut other = this_program()
            .args(["--exact", this, "--nocapture"])
            .env(ACTOR, directory.path())
            .spawn()
            .unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        hold_native(directory.path(), true, cases(100), &mut stream);
        drop(stream);
        assert!(other.wait().unwrap().success());
    });
}

#[test]
fn a_wrong_model_is_found_out_and_shrunk() {
    // The check itself is checked: somebody writes what nobody told the model of.
    struct Liar(Handles);
    impl Actor for Liar {
        fn act(&mut self, record: Record) -> std::io::Result<()> {
            if let Operation::Others(iommap_model::Others::Unlink(_)) = Operation::decode(record) {
                return Ok(());
            }
            self.0.act(record)
        }
    }
    in_child(|| {
        let directory = TempDir::new().unwrap();
        let mut liar = Liar(Handles::new(directory.path()));
        let hidden = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            hold_native(directory.path(), true, 1000, &mut liar);
        }));
        std::panic::set_hook(hidden);
        let why = found.unwrap_err().downcast::<String>().unwrap();
        assert!(why.contains("there is a file"), "{why}");
        assert_eq!(why.matches("Others(Unlink").count(), 2, "one operation, and the reason: {why}");
    });
}
