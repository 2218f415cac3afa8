//! The command line as users meet it: what it prints, and what it ends with. The components here
//! are a few lines of text each; those that map files are run by the tests in `tests/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A folder to run in, with a cache in it, so that no test depends on what others left.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// A component whose `wasi:cli/run` has this body, and whatever else is given.
    fn program(&self, name: &str, body: &str, more: &str) {
        let text = format!(
            r#"(component {more}
                (core module $guest
                    (func $main (export "run") (result i32) {body}))
                (core instance $i (instantiate $guest))
                (func $run (result (result)) (canon lift (core func $i "run")))
                (instance $run (export "run" (func $run)))
                (export "wasi:cli/run@0.2.0" (instance $run)))"#
        );
        self.write(name, wat::parse_str(text).unwrap());
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iommap"));
        command.current_dir(self.0.path()).args(args).stdin(Stdio::null());
        command.env("XDG_CACHE_HOME", self.path("cache")).env("XDG_CONFIG_HOME", self.path("none"));
        // Whoever debugs with this gets no backtrace of ours in a message.
        command.env("RUST_BACKTRACE", "1").env_remove("IOMMAP_LOG").env_remove("RUST_LOG");
        command
    }

    fn iommap(&self, args: &[&str]) -> Ended {
        self.command(args).output().unwrap().into()
    }

    /// The message with which this is refused.
    fn refusal(&self, args: &[&str]) -> String {
        let Ended { code, out, err } = self.iommap(args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {err}");
        assert!(err.starts_with("iommap: "), "{args:?}: {err}");
        for noise in ["Error:", "error:", "stack backtrace", "panicked", "Caused by"] {
            assert!(!err.contains(noise), "{args:?}: {err}");
        }
        err
    }
}

/// What came of a command.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ended {
    fn from(Output { status, stdout, stderr }: Output) -> Ended {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: status.code(), out: text(stdout), err: text(stderr) }
    }
}

/// A program that prints one line.
const HELLO: &str = r#"
(component
    (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
    (alias export $error "error" (type $error))
    (import "wasi:io/streams@0.2.0" (instance $streams
        (alias outer 1 $error (type $outer))
        (export "error" (type $e (eq $outer)))
        (type $v (variant (case "last-operation-failed" (own $e)) (case "closed")))
        (export "stream-error" (type $failure (eq $v)))
        (export "output-stream" (type $stream (sub resource)))
        (export "[method]output-stream.blocking-write-and-flush"
            (func (param "self" (borrow $stream)) (param "contents" (list u8))
                (result (result (error $failure)))))))
    (alias export $streams "output-stream" (type $stream))
    (import "wasi:cli/stdout@0.2.0" (instance $stdout
        (alias outer 1 $stream (type $outer))
        (export "output-stream" (type $s (eq $outer)))
        (export "get-stdout" (func (result (own $s))))))
    (core module $memory (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (unreachable)))
    (core instance $m (instantiate $memory))
    (core func $get (canon lower (func $stdout "get-stdout")))
    (core func $write (canon lower
        (func $streams "[method]output-stream.blocking-write-and-flush")
        (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
    (core module $guest
        (import "m" "memory" (memory 1))
        (import "h" "get" (func $get (result i32)))
        (import "h" "write" (func $write (param i32 i32 i32 i32)))
        (data (i32.const 100) "hello\n")
        (func (export "run") (result i32)
            ;; A program that takes any error for the end of the world.
            (call $write (call $get) (i32.const 100) (i32.const 6) (i32.const 16))
            (if (i32.load8_u (i32.const 16)) (then (unreachable)))
            (i32.const 0)))
    (core instance $i (instantiate $guest
        (with "m" (instance $m))
        (with "h" (instance (export "get" (func $get)) (export "write" (func $write))))))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $run (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $run)))
"#;

#[test]
fn given_a_program_when_run_then_its_output_and_its_exit_code_are_passed_on() {
    let place = Place::new();
    place.write("hello.wasm", wat::parse_str(HELLO).unwrap());
    let Ended { code, out, err } = place.iommap(&["run", "hello.wasm"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "hello\n", ""));

    place.program("fails.wasm", "(i32.const 1)", "");
    let Ended { code, out, err } = place.iommap(&["run", "fails.wasm"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(1), "", ""));
}

#[cfg(unix)]
#[test]
fn given_nobody_who_reads_the_output_when_run_then_it_ends_quietly() {
    let place = Place::new();
    place.write("hello.wasm", wat::parse_str(HELLO).unwrap());
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

#[test]
fn given_stats_when_the_program_ends_well_or_not_then_they_are_printed() {
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
fn given_a_program_that_traps_when_run_then_it_says_why_and_where() {
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
    assert!(err.contains("too deeply") && err.contains("more\n"), "{err}");
}

#[test]
fn given_a_program_without_an_end_when_its_time_is_over_then_it_is_ended() {
    let place = Place::new();
    place.program("loops.wasm", "(loop (br 0)) (unreachable)", "");
    let start = Instant::now();
    let Ended { code, err, .. } = place.iommap(&["run", "--timeout", "0.2", "loops.wasm"]);
    assert_eq!(code, Some(124), "{err}");
    assert!(err.contains("ended after 0.2 s"), "{err}");
    // Not a measurement: only that it did not go on.
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn given_a_component_with_async_types_when_run_then_it_runs_all_the_same() {
    let place = Place::new();
    place.program("async.wasm", "(i32.const 0)", "(type (stream u8))");
    let Ended { code, err, .. } = place.iommap(&["run", "async.wasm"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
}

#[test]
fn given_a_memory_that_is_not_allowed_when_run_then_it_says_which_option_it_is() {
    let place = Place::new();
    place.write("hello.wasm", wat::parse_str(HELLO).unwrap());
    let message = place.refusal(&["run", "--max-memory", "1K", "hello.wasm"]);
    assert!(message.contains("cannot be started") && message.contains("--max-memory"), "{message}");
    assert_eq!(place.iommap(&["run", "--max-memory", "64K", "hello.wasm"]).code, Some(0));
}

#[test]
fn given_a_cache_when_run_again_then_it_is_used_and_without_one_it_still_runs() {
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
    assert!(err.starts_with("iommap: warning: ") && err.contains("--no-cache"), "{err}");
    #[cfg(target_os = "linux")]
    {
        assert_eq!(place.iommap(&["run", "ok.wasm"]).code, Some(0));
        assert!(place.path("cache").exists());
    }
}

#[test]
fn given_something_that_is_no_component_when_run_then_it_says_what_it_is_and_what_to_do() {
    let place = Place::new();
    place.write("text.wat", "(component)");
    place.write("data.wasm", [0xff, 0xfe, 0, 1]);
    place.write("empty.wasm", "");
    place.write("module.wasm", wat::parse_str("(module)").unwrap());
    let preview1 = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))))"#;
    place.write("preview1.wasm", wat::parse_str(preview1).unwrap());
    place.write("future.wasm", b"\0asm\x77\0\x01\0");
    place.write("damaged.wasm", b"\0asm\x0d\0\x01\0nonsense");
    for (name, words) in [
        ("missing.wasm", &["no file missing.wasm", "built"][..]),
        ("text", &["no file text", "COMPONENT.wasm [ARGS]"]),
        ("module", &["did you mean module.wasm?"]),
        (".", &["directory", "name the component in it"]),
        ("text.wat", &["WebAssembly text", "wasm-tools parse"]),
        ("data.wasm", &["[ff, fe, 00, 01]"]),
        ("empty.wasm", &["empty"]),
        ("module.wasm", &["core module", "wasm32-wasip2", "wasm-tools component new"]),
        ("preview1.wasm", &["core module", "WASI 0.1", "--adapt"]),
        ("future.wasm", &["newer than the host"]),
        ("damaged.wasm", &["cannot be compiled", "damaged"]),
    ] {
        let message = place.refusal(&["run", name]);
        for word in words {
            assert!(message.contains(word), "{name}: {message}");
        }
        assert_eq!(place.refusal(&["inspect", name]), message);
    }
}

#[test]
fn given_imports_that_nobody_provides_when_run_then_all_are_named() {
    let place = Place::new();
    let imports = r#"
        (import "iommap:mmap/types@0.9.0" (instance (export "f" (func))))
        (import "acme:db/query@1.0.0" (instance (export "f" (func))))
        (import "wasi:http/types@0.2.3" (instance (export "f" (func))))
        (import "wasi:cli/exit@0.2.99" (instance
            (type $r (result)) (export "exit" (func (param "status" $r)))))
        (import "types-only:a/b@1.0.0" (instance (type $t (list u8)) (export "t" (type (eq $t)))))
        (import "f" (func))"#;
    place.program("needy.wasm", "(i32.const 0)", imports);
    let message = place.refusal(&["run", "needy.wasm"]);
    for line in [
        "iommap:mmap/types@0.9.0  (this host provides version 0.1.0)\n",
        "acme:db/query@1.0.0\n",
        "wasi:http/types@0.2.3  (this host has no HTTP",
        "\n  f\n",
        "iommap:mmap 0.1.0, iommap:wasi 0.1.0 and WASI 0.2.",
    ] {
        assert!(message.contains(line), "{line:?}: {message}");
    }
    assert!(!message.contains("wasi:cli/exit") && !message.contains("types-only"), "{message}");

    let Ended { code, out, .. } = place.iommap(&["inspect", "needy.wasm"]);
    assert_eq!(code, Some(1));
    for line in [
        "    provided  wasi:cli/exit@0.2.99  (gets version 0.2.",
        "    MISSING   acme:db/query@1.0.0\n",
        "    wasi:cli/run@0.2.0\n",
    ] {
        assert!(out.contains(line), "{line:?}: {out}");
    }
}

#[test]
fn given_an_interface_with_another_function_when_run_then_it_is_named() {
    let place = Place::new();
    let imports = r#"(import "wasi:cli/exit@0.2.0" (instance (export "leave" (func))))"#;
    place.program("odd.wasm", "(i32.const 0)", imports);
    let message = place.refusal(&["run", "odd.wasm"]);
    assert!(message.contains("wasi:cli/exit@0.2.0") && message.contains("leave"), "{message}");
    let Ended { code, out, .. } = place.iommap(&["inspect", "odd.wasm"]);
    assert_eq!(code, Some(1));
    let verdict = out.lines().last().unwrap();
    assert!(verdict.contains("this host cannot run it: ") && verdict.contains("leave"), "{out}");
}

#[test]
fn given_a_library_when_run_then_it_says_what_it_exports() {
    let place = Place::new();
    let library = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (export "step" (func $f)))"#;
    place.write("library.wasm", wat::parse_str(library).unwrap());
    let message = place.refusal(&["run", "library.wasm"]);
    assert!(message.contains("wasi:cli/run") && message.contains("It exports step"), "{message}");
    let Ended { code, out, .. } = place.iommap(&["inspect", "library.wasm"]);
    assert_eq!(code, Some(1));
    assert!(out.contains("nothing to run"), "{out}");

    place.write("nothing.wasm", wat::parse_str("(component)").unwrap());
    assert!(place.refusal(&["run", "nothing.wasm"]).contains("exports nothing"));
}

#[test]
fn given_directories_that_cannot_be_granted_when_run_then_it_says_which_and_why() {
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    let missing = place.refusal(&["run", "--dir", "missing::/data", "ok.wasm"]);
    assert!(missing.contains("--dir missing::/data: there is no directory missing"), "{missing}");
    let file = place.refusal(&["run", "--dir", ".", "--dir", "ok.wasm::/d", "ok.wasm"]);
    assert!(file.contains("--dir ok.wasm::/d: ok.wasm is not a directory"), "{file}");
    for grant in ["", "::/data", ".::", ".::ro", ".::/d::wo", ".::/d::ro::x"] {
        let message = place.refusal(&["run", "--dir", grant, "ok.wasm"]);
        assert!(message.contains("--dir"), "{message}");
    }
    let twice = ["run", "--dir", ".::/data", "--dir", "/::data/", "ok.wasm"];
    let Ended { code, err, .. } = place.iommap(&twice);
    assert_eq!(code, Some(0));
    assert!(err.starts_with("iommap: warning: --dir /::data/ has the name of"), "{err}");
}

#[test]
fn given_a_command_line_with_a_mistake_when_run_then_it_says_what_to_write() {
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    for (args, word) in [
        (&["run"][..], "COMPONENT.wasm"),
        (&["run", "--limit", "nonsense=1", "ok.wasm"], "mapped-bytes"),
        (&["run", "--limit", "mappings", "ok.wasm"], "NAME=VALUE"),
        (&["run", "--limit", "mappings=lots", "ok.wasm"], "64MiB"),
        (&["run", "--limit", "mappings=99999999999T", "ok.wasm"], "too large"),
        (&["run", "--env", "NOT_SET_HERE", "ok.wasm"], "NOT_SET_HERE=VALUE"),
        (&["run", "--env", "=x", "ok.wasm"], "no name"),
        (&["run", "--timeout", "-1", "ok.wasm"], "number of seconds"),
        (&["run", "--timeout", "soon", "ok.wasm"], "number of seconds"),
        (&["run", "--nonsense", "ok.wasm"], "--nonsense"),
        (&["nonsense"], "nonsense"),
    ] {
        let message = place.refusal(args);
        assert!(message.contains(word), "{args:?}: {message}");
    }
    // Without anything it is help that is wanted.
    let Ended { code, err, .. } = place.iommap(&[]);
    assert_eq!(code, Some(2));
    assert!(err.contains("Usage: iommap"), "{err}");
}

#[cfg(unix)]
#[test]
fn given_names_that_are_not_utf8_when_run_then_nothing_panics() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    let odd = OsStr::from_bytes(b"caf\xe9.wasm");
    let run =
        |args: &[&OsStr]| -> Ended { place.command(&["run"]).args(args).output().unwrap().into() };
    assert!(run(&[odd]).err.contains("there is no file"));
    std::fs::copy(place.path("ok.wasm"), place.0.path().join(odd)).unwrap();
    assert_eq!(run(&[odd]).code, Some(0));
    let argument = run(&[Path::new("ok.wasm").as_os_str(), odd]);
    assert_eq!(argument.code, Some(2));
    assert!(argument.err.contains("not UTF-8"), "{}", argument.err);
    assert_eq!(run(&[OsStr::new("--dir"), odd, OsStr::new("ok.wasm")]).code, Some(2));
}

#[test]
fn help_and_version_go_to_standard_output() {
    let place = Place::new();
    for (args, word) in [
        (&["--help"][..], "iommap run --dir"),
        (&["run", "--help"], "mapped-bytes"),
        (&["run", "-h"], "--stats"),
        (&["inspect", "--help"], "COMPONENT.wasm"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let Ended { code, out, err } = place.iommap(args);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}");
        assert!(out.contains(word), "{args:?}: {out}");
        assert!(out.lines().all(|line| line == line.trim_end() || line.trim().is_empty()), "{out}");
    }
}

#[test]
fn given_a_filter_for_the_log_when_it_makes_no_sense_then_it_says_so_and_goes_on() {
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    let mut command = place.command(&["run", "ok.wasm"]);
    let Ended { code, err, .. } = command.env("IOMMAP_LOG", "=x=").output().unwrap().into();
    assert_eq!(code, Some(0));
    assert!(err.starts_with("iommap: warning: IOMMAP_LOG=") && err.contains("debug"), "{err}");
    assert_eq!(place.iommap(&["-vv", "run", "ok.wasm"]).code, Some(0));
}
