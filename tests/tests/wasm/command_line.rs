//! `iommap run` with the sample guests, as people start it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};

use iommap_artifacts::guest;
use iommap_tests::command_line::{iommap, iommap_run, said};
use iommap_tests::{Kind, Scene};

/// Runs a guest with the scene's directory as its `/data`.
fn run(scene: &Scene, options: &[&str], guest: &str, args: &[&str]) -> Output {
    iommap_run(scene.directory(), options, guest, args).output().unwrap()
}

fn scene() -> Scene {
    Scene::new(Kind::Sync)
}

/// Lines of a log: `line N: nothing`, but in some the word that is looked for. Each matching line
/// with its offset, as `search` prints it.
fn log(needles: &[usize], lines: usize) -> (String, String) {
    let (mut text, mut matches) = (String::new(), String::new());
    for n in 0..lines {
        let what = if needles.contains(&n) { "a needle, here" } else { "nothing" };
        let line = format!("line {n}: {what}");
        if needles.contains(&n) {
            matches += &format!("/data/log:{}:{line}\n", text.len());
        }
        text += &line;
        text.push('\n');
    }
    (text, matches)
}

#[test]
fn every_answer_of_quickstart_is_as_expected() {
    let scene = scene();
    let (code, out, err) = said(&run(&scene, &[], guest("quickstart"), &[]));
    assert_eq!(code, 0, "{out}{err}");
    assert!(!out.contains("but expected"), "{out}");
    let last = out.trim_end().lines().last().unwrap_or_default();
    assert!(last.starts_with("All ") && last.ends_with(" answers were as expected."), "{out}");
    assert_eq!(err, "");
    assert!(scene.names().is_empty(), "it tidies up");
}

#[test]
fn quickstart_without_a_grant_says_what_to_do() {
    let output = iommap().args(["run", guest("quickstart")]).output().unwrap();
    let (code, out, err) = said(&output);
    assert_eq!(code, 1, "{out}{err}");
    assert!(err.contains("--dir"), "{err}");
}

#[test]
fn under_a_read_only_grant_quickstart_makes_nothing() {
    let scene = scene();
    let grant = format!("{}::/data::ro", scene.directory().display());
    let output = iommap().args(["run", "--dir", &grant, guest("quickstart")]).output().unwrap();
    let (code, out, err) = said(&output);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("-> eacces, but expected ok"), "{out}");
    assert!(scene.names().is_empty());
}

#[test]
fn search_prints_each_match_with_its_offset() {
    let scene = scene();
    let (text, matches) = log(&[0, 7, 5_000, 19_999], 20_000);
    scene.write("log", &text);
    let (code, out, err) = said(&run(&scene, &[], guest("search"), &["needle", "/data/log"]));
    assert_eq!((code, out), (0, matches), "{err}");
    assert_eq!(
        err,
        format!("search: 4 matches in 4 lines, {} bytes scanned\n", text.len()),
        "no progress where there is no terminal"
    );
}

#[test]
fn matches_across_windows_are_found_once() {
    let scene = scene();
    // A needle at every place around the border of a window of 64 KiB, one window a place.
    let window = 64 << 10;
    let mut text = vec![b'.'; 10 * window];
    for place in 0..9 {
        let at = (place + 1) * window - place.min(8);
        text[at..at + 6].copy_from_slice(b"needle");
        text[at - 100] = b'\n';
        text[at + 100] = b'\n';
    }
    scene.write("f", &text);
    let args = ["--window", "64K", "needle", "/data/f"];
    let (code, out, err) = said(&run(&scene, &[], guest("search"), &args));
    assert_eq!(code, 0, "{err}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 9, "{out}");
    for (place, line) in lines.iter().enumerate() {
        let at = (place + 1) * window - place.min(8);
        let shown = format!("{}needle{}", ".".repeat(99), ".".repeat(94));
        assert_eq!(*line, format!("/data/f:{}:{shown}", at - 99));
    }
}

#[test]
fn the_exit_code_of_search_is_passed_on() {
    let scene = scene();
    scene.write("log", log(&[3], 10).0);
    for (args, expected) in [
        (&["-q", "needle", "/data/log"][..], 0),
        (&["-q", "haystack", "/data/log"], 1),
        (&["-q", "needle", "/data/none"], 3),
        (&["-q", "needle", "/data/none", "/data/log"], 3),
        (&["-q", "needle", "/data"], 3),
        (&["-q", "needle", "/data/../log"], 3),
        (&["--nonsense"], 3),
    ] {
        let (code, out, err) = said(&run(&scene, &[], guest("search"), args));
        assert_eq!(code, expected, "{args:?}: {out}{err}");
        assert_eq!(err.is_empty(), expected != 3, "{args:?}: {err}");
    }
}

/// `search --step`, waiting behind its first window.
struct Stepping {
    child: Child,
    messages: BufReader<std::process::ChildStderr>,
}

impl Stepping {
    fn start(scene: &Scene, options: &[&str]) -> Stepping {
        let args = ["--window", "64K", "--step", "needle", "/data/log"];
        let mut command: Command = iommap_run(scene.directory(), options, guest("search"), &args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut messages = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        messages.read_line(&mut first).unwrap();
        assert!(first.contains("65536 of ") && first.contains("Enter goes on"), "{first}");
        Stepping { child, messages }
    }

    /// Lets it run to its end: its exit code, lines and messages.
    fn finish(mut self) -> (i32, String, String) {
        // Closed after this line, which ends the stepping.
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
        let mut messages = String::new();
        self.messages.read_to_string(&mut messages).unwrap();
        let output = self.child.wait_with_output().unwrap();
        let (code, out, _) = said(&output);
        (code, out, messages)
    }
}

/// Fails unless the guest says where the file was cut, and what it found until there.
#[track_caller]
fn assert_cut(messages: &str, offset: u64, found: &str) {
    let line = messages.lines().find(|line| line.contains("cut short"));
    let line = line.unwrap_or_else(|| panic!("{messages}"));
    assert!(line.starts_with("search: /data/log: "), "{line}");
    assert!(line.contains(&format!("offset {offset}")) && line.contains(found), "{line}");
}

#[test]
fn of_a_file_cut_to_nothing_search_itself_says_so() {
    let scene = scene();
    let (text, matches) = log(&[100, 50_000], 60_000);
    scene.write("log", &text);
    let search = Stepping::start(&scene, &["--stats"]);
    scene.cut("log", 0);
    let (code, out, err) = search.finish();
    assert_eq!(code, 3, "{err}");
    assert_eq!(out, matches.split_inclusive('\n').next().unwrap(), "what was found before");
    assert_cut(&err, 65_536, "1 match in 1 line");
    let faults = err.lines().find_map(|line| line.trim().strip_prefix("faults recovered"));
    let faults: u64 = faults.unwrap_or_else(|| panic!("{err}")).trim().parse().unwrap();
    assert!(faults > 0, "{err}");
}

#[test]
fn of_a_file_cut_to_a_part_the_part_is_searched() {
    let scene = scene();
    let (text, matches) = log(&[100, 5_000, 50_000], 60_000);
    scene.write("log", &text);
    let search = Stepping::start(&scene, &[]);
    scene.cut("log", 40 * 4096);
    let (code, out, err) = search.finish();
    assert_eq!(code, 3, "{err}");
    let found: String = matches.split_inclusive('\n').take(2).collect();
    assert_eq!(out, found);
    assert_cut(&err, 40 * 4096, "2 matches in 2 lines");
}

#[test]
fn a_file_removed_is_searched_to_its_end() {
    let scene = scene();
    let (text, matches) = log(&[100, 50_000], 60_000);
    scene.write("log", &text);
    let search = Stepping::start(&scene, &[]);
    std::fs::remove_file(scene.path("log")).unwrap();
    let (code, out, err) = search.finish();
    assert_eq!((code, out), (0, matches), "{err}");
}

#[test]
fn stats_print_the_counters_of_a_guest() {
    let scene = scene();
    let (text, matches) = log(&[3], 10);
    scene.write("log", &text);
    let args = ["-q", "needle", "/data/log"];
    let (code, out, err) = said(&run(&scene, &["--stats"], guest("search"), &args));
    assert_eq!((code, out), (0, matches), "the guest's output is the guest's alone");
    let line = |name: &str, value: &str| {
        err.lines().any(|line| line.trim().strip_prefix(name).is_some_and(|v| v.trim() == value))
    };
    assert!(line("mappings opened", "1"), "{err}");
    assert!(line("faults recovered", "0"), "{err}");
    assert!(line("calls refused", "0"), "{err}");
    assert!(line("written", "0 bytes"), "{err}");
}

#[test]
fn a_guest_that_reaches_a_limit_is_told() {
    let scene = scene();
    scene.write("log", log(&[3], 10).0);
    let options = ["--stats", "--limit", "mapped-bytes=10"];
    let (code, _, err) = said(&run(&scene, &options, guest("search"), &["needle", "/data/log"]));
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("a limit of the host is reached"), "{err}");
    assert!(err.contains("calls refused     1, 1 by limit-exceeded"), "{err}");
}

#[test]
fn what_is_no_command_is_told_so() {
    let scene = scene();
    scene.write("core.wasm", b"\0asm\x01\0\0\0");
    scene.write("text.txt", "hello");
    for (guest, word) in [
        (scene.path("none.wasm"), "none.wasm"),
        (scene.path("core.wasm"), "core"),
        (scene.path("text.txt"), "text.txt"),
        (guest("driver").into(), "wasi:cli/run"),
    ] {
        let output = iommap().arg("run").arg(&guest).output().unwrap();
        let (code, out, err) = said(&output);
        assert_ne!(code, 0, "{guest:?}");
        assert_eq!(out, "");
        assert!(err.contains(word), "{guest:?}: {err}");
    }
    let none = scene.path("none").into_os_string().into_string().unwrap();
    let output =
        iommap().args(["run", "--dir", &none, guest("search"), "--help"]).output().unwrap();
    let (code, _, err) = said(&output);
    assert!(code != 0 && err.contains("none"), "{err}");
}

#[test]
fn a_file_opened_with_std_is_mapped_and_its_end_printed() {
    let scene = scene();
    let (text, _) = log(&[5_000, 19_999], 20_000);
    scene.write("log", &text);
    for (n, lines) in [("1", 1), ("3", 3), ("19000", 19_000), ("99999", 20_000), ("0", 0)] {
        let (code, out, err) = said(&run(&scene, &[], guest("last"), &["-n", n, "/data/log"]));
        assert_eq!((code, err.as_str()), (0, ""));
        let expected: Vec<_> = text.split_inclusive('\n').skip(20_000 - lines).collect();
        assert_eq!(out, expected.concat(), "{n}");
    }
    scene.write("unfinished", "one\ntwo\nthree");
    scene.write("empty", "");
    let args = ["-n", "2", "/data/unfinished", "/data/empty"];
    let (code, out, _) = said(&run(&scene, &["--stats"], guest("last"), &args));
    assert_eq!((code, out.as_str()), (0, "two\nthree"));
    let (code, out, err) =
        said(&run(&scene, &[], guest("last"), &["/data/none", "data/unfinished"]));
    assert_eq!((code, out.as_str()), (1, "one\ntwo\nthree"), "{err}");
    assert!(err.starts_with("last: /data/none: "), "{err}");
}

#[test]
fn inspect_says_what_each_import_gets() {
    let output = iommap().args(["inspect", guest("last")]).output().unwrap();
    let (code, out, err) = said(&output);
    assert_eq!(code, 0, "{out}{err}");
    for import in
        ["iommap:mmap/types@0.1.0", "iommap:wasi/files@0.1.0", "wasi:filesystem/types@0.2"]
    {
        let line = out.lines().find(|line| line.contains(import));
        assert!(line.is_some_and(|line| line.trim().starts_with("provided ")), "{import}: {out}");
    }
    assert!(out.trim_end().ends_with("this host can run it"), "{out}");
}

#[test]
fn each_call_is_logged_with_its_duration() {
    let scene = scene();
    scene.write("log", log(&[3], 10).0);
    let (code, _, err) = said(&run(&scene, &["-vv"], guest("search"), &["needle", "/data/log"]));
    assert_eq!(code, 0, "{err}");
    for call in ["open", "advise", "pread"] {
        let line = err
            .lines()
            .find(|line| line.contains(&format!("call=\"{call}\"")) && line.contains("took="));
        assert!(line.is_some(), "{call}: {err}");
    }
    assert!(err.contains("length: 1"), "how much was to be read: {err}");
}

#[test]
fn a_guest_that_fails_is_told_of_calls_that_were_refused() {
    let scene = scene();
    let args = ["needle", "/data/none"];
    let (code, _, err) = said(&run(&scene, &[], guest("search"), &args));
    assert_eq!(code, 3, "{err}");
    let note = "iommap: note: 1 call to iommap was refused (enoent), which may be why: open of `/data/none`";
    assert!(err.contains(note) && err.contains(". -v or "), "{err}");
    // The reason is the host's, of which the guest knows a code.
    let (_, _, err) = said(&run(&scene, &[], guest("search"), &["needle", "/etc/passwd"]));
    assert!(err.contains("open of `/etc/passwd`: no grant covers it; granted: /data"), "{err}");
    // Whatever the guest has asked for, nothing of it gets to the terminal but to be shown.
    let (_, _, err) = said(&run(&scene, &[], guest("search"), &["needle", "/data/\u{1b}[2J\n"]));
    assert!(err.contains(r"open of `/data/\u{1b}[2J\n`: no such file"), "{err}");
    scene.write("log", log(&[3], 10).0);
    let limited = ["--limit", "mappings=0"];
    let (_, _, err) = said(&run(&scene, &limited, guest("search"), &["needle", "/data/log"]));
    assert!(err.contains("open of `/data/log`: mappings is 0, 0 in use, asked for 1"), "{err}");
    // Who sees them needs not be told that there are some.
    let (_, _, err) = said(&run(&scene, &["-v"], guest("search"), &args));
    assert!(err.contains("enoent") && !err.contains("iommap: note: "), "{err}");
    // And what went well was meant so.
    scene.write("log", log(&[3], 10).0);
    let (code, _, err) = said(&run(&scene, &[], guest("search"), &["needle", "/data/log"]));
    assert_eq!(code, 0, "{err}");
    assert!(!err.contains("iommap: "), "{err}");
}
