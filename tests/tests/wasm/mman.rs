//! mmap(2) for C: one program calls it in every way, as a component and natively. What POSIX alone says
//! both print in the same words; what is the host's to give, or answered otherwise, is written here.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use iommap_artifacts::{native_c, try_guest};
use iommap_tests::command_line::{iommap_run, said};
use iommap_tests::{Kind, Scene};

/// A host with windows, to be written to as well: fewer than the program asks for.
const WRITABLE: [&str; 6] = [
    "--limit",
    "windows=40",
    "--limit",
    "window-bytes=64M",
    "--windows-on-changing-files",
    "--writable-windows",
];

/// A check in the component, or why there is none.
fn guest(dir: &Path, options: &[&str], check: &str) -> Option<Command> {
    let component = try_guest("mman");
    let component = component.map_err(|why| eprintln!("skipped: guests in C: {why}")).ok()?;
    Some(iommap_run(dir, options, component, &[check, "/data"]))
}

/// What a check prints, whose every line but the last tells what came of a call.
#[track_caller]
fn printed(options: &[&str], check: &str) -> Option<String> {
    let scene = Scene::new(Kind::Sync);
    let (code, out, err) = said(&guest(scene.directory(), options, check)?.output().unwrap());
    assert_eq!((code, &*err), (0, ""), "{check}: {out}");
    let lines = out.strip_suffix("done\n");
    Some(lines.unwrap_or_else(|| panic!("{check} did not end: {out}")).to_owned())
}

/// The check prints the same natively.
#[track_caller]
fn same_natively(check: &str, options: &[&str]) {
    let Some(guest) = printed(options, check) else { return };
    let program = native_c("mman").unwrap_or_else(|why| panic!("{why:#}"));
    let scene = Scene::new(Kind::Sync);
    let output = Command::new(program).arg(check).arg(scene.directory()).output().unwrap();
    let (code, out, err) = said(&output);
    assert_eq!((code, &*err), (0, ""), "{check}, natively: {out}");
    assert_eq!(format!("{guest}done\n"), out, "{check}");
    assert!(out.lines().count() > 1, "{check} printed nothing");
}

#[test]
fn mmap_is_refused_by_the_systems_own_errno() {
    same_natively("errors-of-mmap", &WRITABLE);
}

#[test]
fn what_belongs_to_mmap_is_refused_by_the_systems_own_errno() {
    same_natively("errors-of-others", &WRITABLE);
}

#[test]
fn maps_show_what_a_file_holds_with_windows_and_without() {
    same_natively("reads", &WRITABLE);
    same_natively("reads", &[]);
    // No file is trusted, so all are copies.
    same_natively("reads", &WRITABLE[..4]);
}

#[test]
fn stores_into_a_private_map_stay_in_it() {
    same_natively("stores-stay", &WRITABLE);
    same_natively("stores-stay", &[]);
}

#[test]
fn stores_into_a_shared_map_reach_the_file() {
    same_natively("stores-reach", &WRITABLE);
}

#[test]
fn a_file_is_mapped_whatever_became_of_its_name() {
    same_natively("unnamed", &WRITABLE);
}

#[test]
fn memory_that_is_mapped_is_zero_each_time() {
    same_natively("memory", &WRITABLE);
}

#[test]
fn parts_of_maps_are_unmapped() {
    same_natively("halves", &WRITABLE);
}

#[test]
fn maps_are_put_where_a_program_wants_them() {
    same_natively("fixed", &WRITABLE);
}

#[test]
fn more_maps_than_windows_are_right_all_the_same() {
    same_natively("many", &WRITABLE);
    let many = ["--limit", "windows=1000", "--limit", "window-bytes=1G"];
    same_natively("many", &[&many[..], &["--windows-on-changing-files"]].concat());
}

#[test]
fn memory_of_maps_is_nobody_elses_and_is_used_again() {
    // Without being used again it would take more.
    same_natively("churn", &[&WRITABLE[..], &["--max-memory", "64M"]].concat());
}

fn last_words(lines: &str) -> Vec<&str> {
    lines.lines().map(|line| line.rsplit(": ").next().unwrap_or_default()).collect()
}

/// What a check prints on such a host, a line for each call, which ends with what came of it.
#[track_caller]
fn answers(options: &[&str], check: &str, expected: &[&str]) {
    let Some(printed) = printed(options, check) else { return };
    assert_eq!(last_words(&printed), expected, "{check}:\n{printed}");
}

#[test]
fn without_windows_maps_to_be_written_are_refused_and_others_are_copies() {
    let Some(printed) = printed(&[], "without") else { return };
    let expected = [
        "mmap(NULL, UNIT, RW, MAP_SHARED, fd, 0): EMFILE",
        "mmap(NULL, UNIT, PROT_WRITE, MAP_SHARED, fd, 0): EMFILE",
        "262144 bytes are copies",
        "msync(own, length, MS_SYNC | MS_INVALIDATE): ok",
        "msync(shared, length, MS_SYNC): ok",
        "msync(shared, length, MS_SYNC | MS_INVALIDATE): ENOTSUP",
        "mprotect(shared, length, RW): ENOTSUP",
        "mlock(shared, length): EAGAIN",
        "0 bytes are copies",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn windows_that_may_not_be_written_to_are_for_reading_only() {
    let scene = Scene::new(Kind::Sync);
    let Some(mut run) = guest(scene.directory(), &WRITABLE[..5], "stores-reach") else { return };
    let (code, _, err) = said(&run.output().unwrap());
    assert_eq!(code, 1);
    assert!(err.contains("not so: map != MAP_FAILED"), "{err}");
}

#[test]
fn a_map_over_a_limit_is_refused_or_a_copy() {
    let options = ["--max-memory", "32M", "--limit", "windows=1", "--limit", "window-bytes=1M"];
    let options = [&options[..], &WRITABLE[4..]].concat();
    answers(&options, "limits", &["EMFILE", "65536 bytes are copies", "ok", "ENOMEM", "ENOMEM"]);
}

#[test]
fn what_windows_can_not_do_is_refused_and_not_feigned() {
    answers(
        &WRITABLE,
        "refused",
        &[
            // What can be asked for.
            "ENOTSUP", "ENOTSUP", "EINVAL", "ok", "ENXIO", "ENXIO", "ENXIO",
            // mprotect and madvise.
            "ENOTSUP", "ENOTSUP", "ok", "ENOTSUP", "ENOTSUP", "EINVAL",
            // MAP_FIXED.
            "ENOTSUP", "ENOTSUP", "ENOTSUP", "ENOMEM", "ENOMEM", "ENOTSUP",
        ],
    );
}

#[test]
fn files_are_locked_in_memory_if_the_host_allows_it() {
    answers(&WRITABLE, "locked", &["EPERM", "EPERM", "ok", "EAGAIN", "EAGAIN", "EPERM", "EAGAIN"]);
    let allowed = [&WRITABLE[..], &["--limit", "locked-bytes=1M"]].concat();
    let Some(printed) = printed(&allowed, "locked") else { return };
    // The system may allow no process to lock so much.
    if printed.starts_with("mlock(map + 100, 10): ENOMEM") {
        eprintln!("skipped: this process may not lock 128 KiB");
        return;
    }
    answers(&allowed, "locked", &["ok", "ok", "ok", "EAGAIN", "EAGAIN", "ok", "EAGAIN"]);
}

#[test]
fn a_program_in_c_can_ask_whether_a_page_was_lost() {
    let scene = Scene::new(Kind::Sync);
    let Some(mut run) = guest(scene.directory(), &WRITABLE, "lost") else { return };
    run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = run.spawn().unwrap();
    let mut from = BufReader::new(run.stdout.take().unwrap());
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    assert_eq!(line, "cut it\n");
    scene.cut("f", 65_536);
    run.stdin.take().unwrap().write_all(b"\n").unwrap();
    let mut rest = String::new();
    from.read_to_string(&mut rest).unwrap();
    let mut err = String::new();
    run.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(135), "{err}");
    assert!(err.contains("lost pages in windows: "), "{err}");
    assert_eq!(last_words(&rest), ["EIO", "ok", "ok", "done"], "{rest}{err}");
}
