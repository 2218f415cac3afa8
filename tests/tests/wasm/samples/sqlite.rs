//! `sqlite`: SQLite in a component, alone, and at one database with native programs.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use iommap_artifacts::{root, try_guest};
use iommap_tests::command_line::{iommap, iommap_run, said};
use iommap_tests::{Kind, Scene};

const LOCKS: [&str; 2] = ["--limit", "locks=64"];

/// What a write-ahead log takes.
const WINDOWS: [&str; 6] = [
    "--limit",
    "windows=64",
    "--limit",
    "window-bytes=1G",
    "--windows-on-changing-files",
    "--writable-windows",
];

struct Sqlite {
    guest: &'static str,
    scene: Scene,
}

impl Sqlite {
    /// Where it can't be had it is said why.
    fn find() -> Option<Sqlite> {
        let guest = try_guest("sqlite").map_err(|why| eprintln!("skipped: sqlite: {why}")).ok()?;
        Some(Sqlite { guest, scene: Scene::new(Kind::Sync) })
    }

    fn command(&self, options: &[&str], args: &[&str]) -> Command {
        iommap_run(self.scene.directory(), options, self.guest, args)
    }

    fn run(&self, options: &[&str], args: &[&str]) -> (i32, String, String) {
        said(&self.command(options, args).output().unwrap())
    }

    /// What SQL prints that has to succeed.
    #[track_caller]
    fn done(&self, options: &[&str], sql: &str) -> String {
        let (code, out, err) = self.run(options, &["/data/db", sql]);
        assert_eq!((code, &*err), (0, ""), "{sql}");
        out
    }

    /// One that reads statements as they come.
    fn open(&self, options: &[&str]) -> (Child, BufReader<ChildStdout>) {
        let mut command = self.command(options, &["/data/db"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        (child, out)
    }
}

/// Has a program run SQL that answers with one line.
fn ask((child, out): &mut (Child, BufReader<ChildStdout>), sql: &str) -> String {
    writeln!(child.stdin.as_mut().unwrap(), "{sql}").unwrap();
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    line
}

#[test]
fn sqlite_runs_what_it_is_asked() {
    let Some(sqlite) = Sqlite::find() else { return };
    sqlite.done(&LOCKS, "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'one'), (2, NULL)");
    assert_eq!(sqlite.done(&LOCKS, "SELECT * FROM t; SELECT count(*) FROM t"), "1|one\n2|\n2\n");
    let args = ["-H", "-s", ", ", "-n", "null", "/data/db", "SELECT a, b FROM t WHERE a = 2"];
    assert_eq!(sqlite.run(&LOCKS, &args), (0, "a, b\n2, null\n".into(), String::new()));
    // Statements that come by standard input, and a page more than a window has.
    let mut open = sqlite.open(&[&LOCKS[..], &WINDOWS].concat());
    let fill = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 20000)
        INSERT INTO t SELECT x, hex(randomblob(200)) FROM n; SELECT count(*) FROM t;";
    assert_eq!(ask(&mut open, fill), "20002\n");
    assert_eq!(ask(&mut open, "PRAGMA integrity_check;"), "ok\n");
    drop(open.0.stdin.take());
    assert!(open.0.wait().unwrap().success());
    assert_eq!(sqlite.scene.names(), ["db"], "the journal went");
}

#[test]
fn a_statement_that_fails_ends_sqlite_and_undoes_what_is_open() {
    let Some(sqlite) = Sqlite::find() else { return };
    sqlite.done(&LOCKS, "CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)");
    let sql = "BEGIN; INSERT INTO t VALUES (2); INSERT INTO t VALUES (1); COMMIT";
    let (code, out, err) = sqlite.run(&LOCKS, &["/data/db", sql]);
    assert_eq!((code, &*out), (1, ""));
    assert_eq!(err, "sqlite: UNIQUE constraint failed: t.a (2067)\n");
    assert_eq!(sqlite.done(&LOCKS, "SELECT * FROM t"), "1\n");
    let (code, _, err) = sqlite.run(&LOCKS, &["-r", "/data/none", "SELECT 1 FROM t"]);
    assert_eq!((code, err.contains("cannot open /data/none (enoent)")), (3, true), "{err}");
}

#[test]
fn sqlite_says_which_grant_is_missing() {
    let Some(sqlite) = Sqlite::find() else { return };
    let (code, _, err) = sqlite.run(&[], &["/data/db", "CREATE TABLE t (a)"]);
    assert_eq!((code, err.contains("--limit locks=")), (1, true), "{err}");
    let alone = ["file:/data/db?nolock=1", "CREATE TABLE t (a); SELECT count(*) FROM t"];
    assert_eq!(sqlite.run(&[], &alone), (0, "0\n".into(), String::new()));

    let (code, _, err) = sqlite.run(&LOCKS, &["/data/db", "PRAGMA journal_mode=wal"]);
    assert_eq!((code, err.contains("--writable-windows")), (1, true), "{err}");
    assert_eq!(sqlite.done(&LOCKS, "PRAGMA journal_mode"), "delete\n");
    let exclusive = "PRAGMA locking_mode=exclusive; PRAGMA journal_mode=wal;
        INSERT INTO t VALUES (1); SELECT * FROM t";
    assert_eq!(sqlite.done(&LOCKS, exclusive), "exclusive\nwal\n1\n");
    let (code, _, err) = sqlite.run(&LOCKS, &["/data/db", "SELECT * FROM t"]);
    assert_eq!((code, err.contains("--writable-windows")), (1, true), "{err}");
    let all = [&LOCKS[..], &WINDOWS].concat();
    assert_eq!(sqlite.done(&all, "SELECT * FROM t; PRAGMA journal_mode"), "1\nwal\n");
}

#[test]
fn locks_of_a_killed_sqlite_are_free() {
    let Some(sqlite) = Sqlite::find() else { return };
    let all = [&LOCKS[..], &WINDOWS].concat();
    for journal in ["delete", "wal"] {
        let mode = format!("PRAGMA journal_mode={journal}; CREATE TABLE IF NOT EXISTS t (a)");
        sqlite.done(&all, &mode);
        let mut holder = sqlite.open(&all);
        let sql = "BEGIN EXCLUSIVE; INSERT INTO t VALUES (1); SELECT 'held';";
        assert_eq!(ask(&mut holder, sql), "held\n");
        let args = ["-t", "0", "/data/db", "INSERT INTO t VALUES (2)"];
        let (code, _, err) = sqlite.run(&all, &args);
        assert_eq!((code, &*err), (1, "sqlite: database is locked (5)\n"), "{journal}");
        holder.0.kill().unwrap();
        holder.0.wait().unwrap();
        // What the killed one had not committed is undone.
        let sql = "DELETE FROM t; INSERT INTO t VALUES (3); SELECT * FROM t";
        let (code, out, err) = sqlite.run(&all, &["-t", "0", "/data/db", sql]);
        assert_eq!((code, &*out, &*err), (0, "3\n", ""), "{journal}");
    }
}

/// A number from the environment, or the one that does for CI.
fn setting(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

/// Has a script of the sample's use a database natively and by components, and returns what it says.
fn script(name: &str, options: &[&str]) -> Option<String> {
    let sqlite = Sqlite::find()?;
    if !Command::new("python3").args(["-c", "import sqlite3"]).status().is_ok_and(|s| s.success()) {
        eprintln!("skipped: python3 with its module sqlite3 is needed");
        return None;
    }
    let mut python = Command::new("python3");
    python.arg(root().join("guest-example/sqlite").join(name)).args(options);
    python.arg("--iommap").arg(iommap().get_program()).args(["--component", sqlite.guest]);
    python.arg("--dir").arg(sqlite.scene.directory());
    let (code, out, err) = said(&python.output().unwrap());
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert_eq!(fs::read_dir(sqlite.scene.directory()).unwrap().count(), 0);
    print!("{out}");
    Some(out)
}

#[test]
fn sqlite_goes_on_after_others_rolled_back_a_hot_journal() {
    for options in [&[][..], &["--no-windows"]] {
        let Some(out) = script("hot_journal.py", options) else { return };
        assert!(out.contains("the component went on"), "{out}");
    }
}

#[test]
fn sqlite_goes_on_after_another_database_was_written_over_its_own() {
    for options in [&[][..], &["--no-windows"]] {
        let Some(out) = script("overwritten.py", options) else { return };
        assert!(out.contains("the component went on"), "{out}");
    }
}

/// `IOMMAP_TRANSACTIONS=100000 IOMMAP_KILLS=200` makes it the real thing.
fn together(journal: &str) {
    let (transactions, kills) =
        (setting("IOMMAP_TRANSACTIONS", "300"), setting("IOMMAP_KILLS", "6"));
    let options = ["--journal", journal, "--transactions", &transactions, "--kills", &kills];
    let Some(out) = script("together.py", &options) else { return };
    assert!(out.contains("none lost"), "{out}");
}

#[test]
fn components_and_native_programs_share_a_database_and_lose_nothing() {
    together("delete");
}

#[test]
fn components_and_native_programs_share_a_write_ahead_log() {
    together("wal");
}
