//! `kv`: redb on a mapping, also killed in the middle of its work.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use iommap_artifacts::guest;
use iommap_tests::command_line::{iommap_run, said};
use iommap_tests::{Kind, Scene};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

const DB: &str = "/data/db";

/// What lets one keep the others out.
const LOCKS: [&str; 2] = ["--limit", "locks=4"];

/// How many records go into a commit where loads are killed.
const BATCH: u64 = 500;

fn scene() -> Scene {
    Scene::new(Kind::Sync)
}

fn command(scene: &Scene, args: &[&str]) -> Command {
    iommap_run(scene.directory(), &LOCKS, guest("kv"), &[&[DB], args].concat())
}

fn run(scene: &Scene, args: &[&str]) -> Output {
    command(scene, args).output().unwrap()
}

/// What a command that has to succeed prints.
#[track_caller]
fn done(scene: &Scene, args: &[&str]) -> String {
    let (code, out, err) = said(&run(scene, args));
    assert_eq!(code, 0, "{args:?}: {err}");
    out
}

/// A number from the environment, or the one that does for CI.
fn setting(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => otherwise,
    }
}

/// What native redb has in a file, one line a record, as `kv scan` prints them.
fn natively(file: &Path) -> String {
    let database = Database::open(file).unwrap();
    let table = database.begin_read().unwrap();
    let table = table.open_table(TableDefinition::<&str, &str>::new("kv")).unwrap();
    let mut lines = String::new();
    for record in table.iter().unwrap() {
        let (key, value) = record.unwrap();
        lines.extend([key.value(), "\t", value.value(), "\n"]);
    }
    lines
}

#[test]
fn records_are_as_they_were_left() {
    let scene = scene();
    for (key, value) in [("b", "2"), ("a", "1"), ("ab", "3"), ("c", "x\ty"), ("a", "one")] {
        assert_eq!(done(&scene, &["put", key, value]), "");
    }
    assert_eq!(done(&scene, &["get", "a"]), "one\n");
    assert_eq!(done(&scene, &["scan"]), "a\tone\nab\t3\nb\t2\nc\tx\\ty\n");
    assert_eq!(done(&scene, &["scan", "--prefix", "a"]), "a\tone\nab\t3\n");
    assert_eq!(done(&scene, &["scan", "--prefix", "a", "-r"]), "ab\t3\na\tone\n");
    assert_eq!(done(&scene, &["scan", "--from", "ab", "--to", "c"]), "ab\t3\nb\t2\n");
    assert_eq!(done(&scene, &["scan", "--from", "c", "--to", "a"]), "");
    assert_eq!(done(&scene, &["scan", "-r", "-n", "1"]), "c\tx\\ty\n");
    assert_eq!(done(&scene, &["delete", "ab"]), "");
    assert_eq!(done(&scene, &["scan", "-n", "2"]), "a\tone\nb\t2\n");
    assert_eq!(done(&scene, &["check"]), "0 loaded records and 3 others: all there\n");
    assert!(done(&scene, &["stats"]).starts_with("records: 3\n"));

    for args in [&["get", "ab"][..], &["delete", "ab"]] {
        let (code, out, err) = said(&run(&scene, args));
        assert_eq!((code, &*out, &*err), (1, "", "kv: /data/db: no key \"ab\"\n"));
    }
}

#[test]
fn native_redb_finds_the_same_records() {
    let scene = scene();
    let (code, out, err) = said(&run(&scene, &["load", "20000", "--batch", "3000", "--report"]));
    assert_eq!(code, 0, "{err}");
    assert_eq!(out, "3000\n6000\n9000\n12000\n15000\n18000\n20000\n");
    assert!(err.starts_with("kv: 20000 records in 7 commits, "), "{err}");
    let file = scene.directory().join("db");
    let before = done(&scene, &["scan"]);
    assert_eq!(before.lines().count(), 20_000);
    assert_eq!(natively(&file), before);

    // Most of it goes, and the file gets shorter.
    let length = fs::metadata(&file).unwrap().len();
    let (code, _, err) = said(&run(&scene, &["compact"]));
    assert_eq!(code, 0, "{err}");
    assert!(err.starts_with(&format!("kv: {DB}: {length} bytes before, ")), "{err}");
    assert!(fs::metadata(&file).unwrap().len() < length, "{err}");
    assert_eq!(done(&scene, &["scan"]), before);
    assert_eq!(natively(&file), before);

    // What native redb wrote last, the guest opens.
    assert_eq!(done(&scene, &["check"]), "20000 loaded records and 0 others: all there\n");
}

/// `IOMMAP_KILLS=10 IOMMAP_RECORDS=1000000` makes it the real thing.
#[test]
fn a_load_killed_again_and_again_loses_nothing_committed() {
    let (kills, records) = (setting("IOMMAP_KILLS", 3), setting("IOMMAP_RECORDS", 40_000));
    let scene = scene();
    let copy = scene.directory().join("copy");
    let random = RandomState::new();
    let (batch, target) = (BATCH.to_string(), records.to_string());
    let mut before = 0;
    for kill in 1..=kills {
        // Somewhere in this kill's share of the load, and somewhere in a commit.
        let share = records / (kills + 1);
        let at = share * (kill - 1) + random.hash_one(kill) % share.max(1);
        let delay = Duration::from_micros(random.hash_one((kill, at)) % 20_000);
        let load = ["load", &target, "--batch", &batch, "--report"];
        let mut child =
            command(&scene, &load).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut reported = before;
        while reported < at.max(before + 1) {
            let Some(line) = lines.next() else { break };
            reported = line.unwrap().parse().unwrap();
        }
        sleep(delay);
        child.kill().unwrap(); // SIGKILL
        // What it still said before it died.
        if let Some(last) = lines.map_while(Result::ok).filter_map(|line| line.parse().ok()).last()
        {
            reported = last;
        }
        let ended = child.wait_with_output().unwrap();
        assert!(reported < records, "it was done before it was killed: {}", said(&ended).2);
        assert_eq!(ended.status.code(), None, "it was killed: {}", ended.status);

        // Native redb, on a copy of what was left, and the guest find the same.
        let file = scene.directory().join("db");
        fs::copy(&file, &copy).unwrap();
        let out = done(&scene, &["check"]);
        let found: u64 = out.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(out, format!("{found} loaded records and 0 others: all there\n"));
        assert!(found >= reported, "{reported} were committed, and {found} are there");
        assert!(found <= reported + BATCH, "{reported} were committed, and {found} are there");
        assert_eq!(found % BATCH, 0, "a commit has all of its records or none");
        assert_eq!(natively(&copy).lines().count() as u64, found);
        println!("kill {kill}: {reported} records were committed when it died, {found} are there");
        before = found;
    }
    let (code, _, err) = said(&run(&scene, &["load", &target, "--batch", &batch]));
    assert_eq!(code, 0, "{err}");
    print!("{err}");
    assert_eq!(
        done(&scene, &["check"]),
        format!("{records} loaded records and 0 others: all there\n")
    );
}

#[test]
fn a_database_left_open_needs_a_grant_for_writing() {
    let scene = scene();
    let mut child = command(&scene, &["load", "1000000", "--batch", "100", "--report"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "100");
    child.kill().unwrap();
    child.wait().unwrap();

    let grant = format!("{}::/ro::ro", scene.directory().display());
    let read_only = |key: &str| {
        let args = ["/ro/db", "get", key];
        said(
            &iommap_run(scene.directory(), &["--dir", &grant], guest("kv"), &args)
                .output()
                .unwrap(),
        )
    };
    let (code, _, err) = read_only("load:0000000007");
    assert_eq!(code, 1);
    assert!(err.contains("was not closed"), "{err}");
    // Whoever may write puts it in order, by reading too. Then it can be read by anybody.
    let value = done(&scene, &["get", "load:0000000007"]);
    assert_eq!(value.len(), 101);
    assert_eq!(read_only("load:0000000007"), (0, value, String::new()));
}

#[test]
fn two_loops_of_puts_at_once_lose_nothing() {
    const EACH: usize = 25;
    let scene = scene();
    // Neither is there before: the database is made by one of them.
    std::thread::scope(|scope| {
        for name in ["one", "other"] {
            let scene = &scene;
            scope.spawn(move || {
                for n in 0..EACH {
                    let key = format!("{name}:{n:03}");
                    let wait = ["put", "--wait", "120", &key, name];
                    assert_eq!(done(scene, &wait), "");
                }
            });
        }
    });
    let found = done(&scene, &["scan"]);
    let expected = |name: &'static str| (0..EACH).map(move |n| format!("{name}:{n:03}\t{name}\n"));
    assert_eq!(found, expected("one").chain(expected("other")).collect::<String>());
    assert_eq!(done(&scene, &["check"]), "0 loaded records and 50 others: all there\n");
    assert_eq!(natively(&scene.directory().join("db")), found);
    assert_eq!(scene.names(), ["db"]);
}

#[test]
fn a_second_writer_is_refused_and_readers_go_on() {
    let scene = scene();
    assert_eq!(done(&scene, &["put", "a", "1"]), "");
    let options = iommap::Mapping::options().read(true).write(true);
    let other = options.open(scene.path("db")).unwrap();
    let whole = iommap::Range { offset: 0, length: 0 };
    let at_once = |args: &[&str]| said(&run(&scene, &[args, &["--wait", "0"]].concat()));

    // Another one reads.
    assert!(other.lock(whole, iommap::LockMode::Shared, None).unwrap());
    assert_eq!(at_once(&["get", "a"]), (0, "1\n".into(), String::new()));
    let (code, _, err) = at_once(&["put", "a", "2"]);
    assert_eq!(code, 1);
    assert!(err.contains("kv: /data/db: another program uses it, and did so for 0ns"), "{err}");

    // Another one writes.
    assert!(other.lock(whole, iommap::LockMode::Exclusive, None).unwrap());
    for args in [&["put", "a", "2"][..], &["get", "a"], &["load", "5"], &["compact"], &["check"]] {
        let (code, out, err) = at_once(args);
        assert_eq!((code, &*out), (1, ""), "{args:?}");
        assert!(err.contains("another program"), "{err}");
    }
    // Who is let wait gets it.
    let waiting = command(&scene, &["put", "a", "2"]).spawn().unwrap();
    sleep(Duration::from_millis(300));
    other.close().unwrap();
    assert!(waiting.wait_with_output().unwrap().status.success());
    assert_eq!(at_once(&["get", "a"]).1, "2\n");
}

#[test]
fn without_locks_kv_reads_and_writes_only_if_told_so() {
    let scene = scene();
    assert_eq!(done(&scene, &["put", "a", "1"]), "");
    let without = |args: &[&str]| {
        let args = [&[DB], args].concat();
        said(&iommap_run(scene.directory(), &[], guest("kv"), &args).output().unwrap())
    };
    assert_eq!(without(&["get", "a"]), (0, "1\n".into(), String::new()));
    let (code, _, err) = without(&["put", "a", "2"]);
    assert_eq!(code, 1);
    assert!(err.contains("--limit locks=4") && !err.contains("refused"), "{err}");
    assert_eq!(without(&["put", "--no-lock", "a", "2"]).0, 0);
    assert_eq!(done(&scene, &["get", "a"]), "2\n");
}

#[test]
fn kv_leaves_files_alone_that_are_no_databases() {
    let scene = scene();
    scene.write("db", "not a database at all".repeat(1_000));
    for args in [&["put", "a", "b"][..], &["get", "a"], &["load", "5"], &["compact"], &["check"]] {
        let (code, out, err) = said(&run(&scene, args));
        assert_eq!((code, &*out), (1, ""), "{args:?}");
        assert!(err.contains("Not a redb database"), "{err}");
    }
    let left = fs::read_to_string(scene.directory().join("db")).unwrap();
    assert_eq!(left, "not a database at all".repeat(1_000));

    fs::remove_file(scene.directory().join("db")).unwrap();
    for args in [&["get", "a"][..], &["scan"], &["delete", "a"], &["compact"], &["check"]] {
        let (code, _, err) = said(&run(&scene, args));
        assert_eq!(code, 1, "{args:?}");
        assert!(err.contains("there is no such file"), "{err}");
    }
    assert!(scene.names().is_empty(), "only put and load make one");
}

#[test]
fn what_was_committed_stays_when_a_load_reaches_a_limit() {
    let scene = scene();
    let limit = ["--limit", "locks=4", "--limit", "file-bytes=2M"];
    let args = [DB, "load", "100000", "--batch", "500", "--report"];
    let output = iommap_run(scene.directory(), &limit, guest("kv"), &args).output().unwrap();
    let (code, out, err) = said(&output);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("limit"), "{err}");
    let committed: u64 = out.lines().last().unwrap().parse().unwrap();
    let expected = format!("{committed} loaded records and 0 others: all there\n");
    assert_eq!(done(&scene, &["check"]), expected);
}
