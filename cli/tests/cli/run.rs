//! `iommap run`, from a component to its exit code.

use crate::place::{Ended, Place};

#[test]
fn a_programs_output_and_exit_code_are_passed_on() {
    let place = Place::new();
    place.hello("hello.wasm", "(i32.const 0)");
    let Ended { code, out, err } = place.iommap(&["run", "hello.wasm"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "hello\n", ""));

    place.program("fails.wasm", "(i32.const 1)", "");
    let Ended { code, out, err } = place.iommap(&["run", "fails.wasm"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(1), "", ""));
}

#[cfg(unix)]
#[test]
fn a_reader_who_goes_away_ends_a_program_quietly() {
    let place = Place::new();
    place.hello("hello.wasm", "(i32.const 0)");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = place.command(&["run", "hello.wasm"]).stdout(writer).output().unwrap();
    let Ended { code, err, .. } = output.into();
    assert_eq!((code, err.as_str()), (Some(141), ""));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = place.command(&["run", "--help"]).stdout(writer).output().unwrap();
    assert_eq!(Ended::from(output).err, "");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    for args in [
        &["inspect", "ok.wasm"][..],
        &["--help"],
        &["--version"],
        &["man"],
        &["completions", "fish"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = place.command(args).stdout(full).output().unwrap();
        let Ended { code, err, .. } = output.into();
        assert_eq!(code, Some(2), "{args:?}: {err}");
        assert!(
            err.starts_with("iommap: the standard output cannot be written to: No space"),
            "{err}"
        );
    }
}

#[test]
fn stats_are_printed_however_a_program_ends() {
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    place.program("traps.wasm", "(unreachable)", "");
    for (name, expected) in [("ok.wasm", 0), ("traps.wasm", 134)] {
        let Ended { code, out, err } = place.iommap(&["run", "--stats", name]);
        assert_eq!((code, out.as_str()), (Some(expected), ""));
        for line in ["mappings opened   0", "read              0 bytes", "faults recovered  0"] {
            assert!(err.contains(line), "{err}");
        }
    }
}

#[test]
fn a_trap_is_told_with_its_reason_and_place() {
    let place = Place::new();
    place.program("traps.wasm", "(unreachable)", "");
    let Ended { code, err, .. } = place.iommap(&["run", "traps.wasm"]);
    assert_eq!(code, Some(134));
    assert!(err.starts_with("iommap: traps.wasm trapped: wasm `unreachable`"), "{err}");
    assert!(err.contains("gave up by itself") && err.contains("\n  main\n"), "{err}");
    assert!(!err.contains("backtrace"), "{err}");

    place.program("deep.wasm", "(call $main)", "");
    let Ended { code, err, .. } = place.iommap(&["run", "deep.wasm"]);
    assert_eq!(code, Some(134));
    assert!(err.contains("too deeply") && err.contains("more, which -v shows\n"), "{err}");
    let all = place.iommap(&["-v", "run", "deep.wasm"]).err;
    assert!(all.matches("\n  main").count() > err.matches("\n  main").count(), "{all}");
}

#[test]
fn frames_of_a_panics_machinery_are_left_out() {
    let place = Place::new();
    let more = r#"(core module $panics
        (func $_ZN3std9panicking15begin_panic_fmt17h0123456789abcdefE (unreachable))
        (func $_ZN4core9panicking9panic_fmt17h0123456789abcdefE
            (call $_ZN3std9panicking15begin_panic_fmt17h0123456789abcdefE))
        (func $_ZN6search6search17h0123456789abcdefE (export "f")
            (call $_ZN4core9panicking9panic_fmt17h0123456789abcdefE)))
        (core instance $p (instantiate $panics))
        (core module $calls (import "p" "f" (func $f))
            (func (export "run") (result i32) (call $f) (i32.const 0)))
        (core instance $c (instantiate $calls (with "p" (instance $p))))
        (func $starts (result (result)) (canon lift (core func $c "run")))
        (instance $starts (export "run" (func $starts)))
        (export "wasi:cli/run@0.2.1" (instance $starts))"#;
    let text = format!("(component {more})");
    place.write("panics.wasm", wat::parse_str(text).unwrap());
    let Ended { code, err, .. } = place.iommap(&["run", "panics.wasm"]);
    assert_eq!(code, Some(134), "{err}");
    assert!(err.contains("\nIt was in\n  search::search\n"), "{err}");
    assert!(!err.contains("panicking"), "{err}");
    let Ended { err, .. } = place.iommap(&["run", "-v", "panics.wasm"]);
    assert!(err.contains("\n  std::panicking::begin_panic_fmt::h0123456789abcdef\n"), "{err}");
}

#[test]
fn a_component_with_async_types_runs_all_the_same() {
    let place = Place::new();
    place.program("async.wasm", "(i32.const 0)", "(type (stream u8))");
    let Ended { code, err, .. } = place.iommap(&["run", "async.wasm"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
}

#[test]
fn the_cache_is_used_and_without_one_it_still_runs() {
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    assert_eq!(place.iommap(&["run", "--no-cache", "ok.wasm"]).code, Some(0));
    assert!(!place.path("cache").exists());
    // A file stands where the cache should be: nobody can create it, root included.
    place.write("file", "");
    let mut command = place.command(&["run", "ok.wasm"]);
    let Ended { code, err, .. } =
        command.env("XDG_CACHE_HOME", place.path("file/cache")).output().unwrap().into();
    assert_eq!(code, Some(0), "{err}");
    assert!(err.starts_with("iommap: note: ") && err.contains("--no-cache"), "{err}");
    #[cfg(target_os = "linux")]
    {
        assert_eq!(place.iommap(&["run", "ok.wasm"]).code, Some(0));
        assert!(place.path("cache").exists());
    }
}
