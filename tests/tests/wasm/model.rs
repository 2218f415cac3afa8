//! The sequences of `host/tests/model.rs`, through wasm: random operations by a guest, held to the
//! model in `tests/model` after each step, while others write, grow, cut, punch, rename over and
//! unlink the files.
//!
//! `IOMMAP_CASES` sets how many sequences each kind of store takes, in this process and as long as
//! it may take; without it each has a process of its own, and not much time.

use iommap::{FsPerms, IommapCtx};
use iommap_model::{Call, Handles, Operation, Record, SLOTS, Subject, Tally, Value, hold, limits};
use iommap_tests::child::in_child;
use iommap_tests::{Guest, Kind, Scene};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use std::cell::RefCell;

/// A driver in wasm, with mappings that have the names of their slots.
struct Driven {
    guest: Guest,
    present: [bool; SLOTS],
}

impl Driven {
    fn new(scene: &Scene) -> Driven {
        let mut context = IommapCtx::builder();
        context
            .preopened_dir(scene.directory(), "/d", FsPerms::ReadWrite)
            .and_then(|context| context.preopened_dir(scene.directory(), "/r", FsPerms::ReadOnly))
            .expect("grants")
            .limits(limits());
        Driven { guest: scene.guest_with(&mut context), present: [false; SLOTS] }
    }

    fn say(&mut self, command: &str) -> Result<Value, String> {
        let answer = self.guest.try_step(command).map_err(|trap| format!("{trap:?}"))?;
        understand(&answer).unwrap_or(Err(answer))
    }
}

impl Subject for Driven {
    fn call(&mut self, slot: usize, call: &Call) -> Result<Value, String> {
        if matches!(call, Call::Open(_) | Call::Drop) && self.present[slot] {
            self.present[slot] = false;
            self.say(&Call::Drop.command(slot))?;
        }
        if *call == Call::Drop {
            return Ok(Value::Nothing);
        }
        let answer = self.say(&call.command(slot))?;
        self.present[slot] = true;
        Ok(answer)
    }

    fn used(&self) -> (u64, u64, u64) {
        let used = self.guest.counters();
        (used.mappings, used.mapped_bytes, used.faults_recovered)
    }

    fn locks(&self) -> u64 {
        self.guest.counters().locks
    }
}

/// What the driver answered; `None` if it did not understand.
fn understand(answer: &str) -> Option<Result<Value, String>> {
    if let Some(error) = answer.strip_prefix("err ") {
        return Some(Err(error.to_owned()));
    }
    if answer == "ok" {
        return Some(Ok(Value::Nothing));
    }
    let answer = answer.strip_prefix("ok ")?;
    let word = match answer {
        "locked" | "busy" => Some(Value::Locked(answer == "locked")),
        "true" | "false" => Some(Value::Would(answer == "true")),
        _ => None,
    };
    if let Some(word) = word {
        return Some(Ok(word));
    }
    let value = if let Some(digits) = answer.strip_prefix("hex:") {
        let byte = |at: usize| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok();
        Value::Bytes((0..digits.len() / 2).map(byte).collect::<Option<_>>()?)
    } else if let Some(hashed) = answer.strip_prefix("len=") {
        let (length, hash) = hashed.split_once(" fnv=")?;
        Value::Hashed(length.parse().ok()?, u64::from_str_radix(hash, 16).ok()?)
    } else if answer.contains(' ') {
        Value::State(answer.to_owned())
    } else {
        Value::Number(answer.parse().ok()?)
    };
    Some(Ok(value))
}

/// In a process of its own, or here if somebody has asked for many sequences.
fn isolated<F: FnOnce()>(body: F) {
    if std::env::var_os("IOMMAP_CASES").is_some() { body() } else { in_child(body) }
}

fn hold_guests(kind: Kind) {
    let usual = 100;
    let cases = std::env::var("IOMMAP_CASES").ok();
    let cases = cases.map_or(usual, |cases| cases.parse().expect("IOMMAP_CASES is a number"));
    let scene = Scene::new(kind);
    let total = RefCell::new(Tally::default());
    let one = |records: Vec<Record>| {
        let mut driven = Driven::new(&scene);
        let mut others = Handles::new(scene.directory());
        let tally = hold(&mut driven, &mut others, scene.directory(), &records, &mut |_, _| ());
        total.borrow_mut().add(tally.map_err(TestCaseError::fail)?);
        Ok(())
    };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&vec(any::<Record>(), 1..80), one);
    if let Err(TestError::Fail(why, records)) = &result {
        let operations: Vec<Operation> =
            records.iter().map(|record| Operation::decode(*record)).collect();
        panic!("{why}\n{operations:?}");
    }
    result.expect("a result");
    let total = total.into_inner();
    let [had, busy] = total.locks.map(|count| count > 0);
    let all =
        total.errors > 0 && total.faults > 0 && total.words > 0 && had && (busy || cases < 500);
    assert!(cases < 100 || all, "{total:?}");
    eprintln!("{cases} sequences on a store of kind {kind:?}: {total:?}");
}

#[test]
fn the_model_holds_on_a_sync_store() {
    isolated(|| hold_guests(Kind::Sync));
}

#[test]
fn the_model_holds_on_a_blocking_store() {
    isolated(|| hold_guests(Kind::Blocking));
}

#[test]
fn the_model_holds_on_an_async_store() {
    isolated(|| hold_guests(Kind::Async));
}

#[test]
fn the_model_holds_on_an_offloading_store() {
    isolated(|| hold_guests(Kind::Offloading));
}
