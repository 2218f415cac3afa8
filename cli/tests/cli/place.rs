//! Where the command line is tried out: a folder of its own, and components of a few lines.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A folder to run in, with a cache in it, so that no test depends on what others left.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// A component whose `wasi:cli/run` has this body, and whatever else is given.
    pub(crate) fn program(&self, name: &str, body: &str, more: &str) {
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

    /// A component that prints `hello`, and then goes on with this body.
    pub(crate) fn hello(&self, name: &str, then: &str) {
        self.write(name, wat::parse_str(HELLO.replace("THEN", then)).unwrap());
    }

    /// A component that writes `hello`, without an end of the line and without a flush, and then goes on
    /// with this body.
    pub(crate) fn part_of_a_line(&self, name: &str, then: &str) {
        let text = HELLO.replace("THEN", then).replace("blocking-write-and-flush", "write");
        let text = text.replace("(i32.const 100) (i32.const 6)", "(i32.const 100) (i32.const 5)");
        self.write(name, wat::parse_str(text).unwrap());
    }

    /// A component that prints `hello`, and then reads the standard input.
    pub(crate) fn waits(&self, name: &str) {
        self.hello(
            name,
            "(call $skip (call $get-stdin) (i64.const 1) (i32.const 32)) (i32.const 0)",
        );
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iommap"));
        command.current_dir(self.0.path()).args(args).stdin(Stdio::null());
        command.env("XDG_CACHE_HOME", self.path("cache")).env("XDG_CONFIG_HOME", self.path("none"));
        // Whoever debugs with this gets no backtrace of ours in a message.
        command.env("RUST_BACKTRACE", "1").env_remove("IOMMAP_LOG").env_remove("RUST_LOG");
        #[cfg(unix)]
        listen_to_signals(&mut command);
        command
    }

    pub(crate) fn iommap(&self, args: &[&str]) -> Ended {
        self.command(args).output().unwrap().into()
    }

    /// The files of compiled components that the cache has, without what it notes of their use.
    pub(crate) fn cached(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.path("cache")];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.extension() {
                    _ if path.is_dir() => folders.push(path),
                    None => files.push(path),
                    Some(_) => {}
                }
            }
        }
        files.sort();
        files
    }

    /// The message with which this is refused.
    pub(crate) fn refusal(&self, args: &[&str]) -> String {
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
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ended {
    fn from(Output { status, stdout, stderr }: Output) -> Ended {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: status.code(), out: text(stdout), err: text(stderr) }
    }
}

/// A program that prints one line, and says how it went.
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
        (export "input-stream" (type $input (sub resource)))
        (export "[method]input-stream.blocking-skip"
            (func (param "self" (borrow $input)) (param "len" u64)
                (result (result u64 (error $failure)))))
        (export "[method]output-stream.blocking-write-and-flush"
            (func (param "self" (borrow $stream)) (param "contents" (list u8))
                (result (result (error $failure)))))))
    (alias export $streams "output-stream" (type $stream))
    (alias export $streams "input-stream" (type $input))
    (import "wasi:cli/stdout@0.2.0" (instance $stdout
        (alias outer 1 $stream (type $outer))
        (export "output-stream" (type $s (eq $outer)))
        (export "get-stdout" (func (result (own $s))))))
    (import "wasi:cli/stdin@0.2.0" (instance $stdin
        (alias outer 1 $input (type $outer))
        (export "input-stream" (type $s (eq $outer)))
        (export "get-stdin" (func (result (own $s))))))
    (core module $memory (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (unreachable)))
    (core instance $m (instantiate $memory))
    (core func $get (canon lower (func $stdout "get-stdout")))
    (core func $get-stdin (canon lower (func $stdin "get-stdin")))
    (core func $skip (canon lower
        (func $streams "[method]input-stream.blocking-skip")
        (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
    (core func $write (canon lower
        (func $streams "[method]output-stream.blocking-write-and-flush")
        (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
    (core module $guest
        (import "m" "memory" (memory 1))
        (import "h" "get" (func $get (result i32)))
        (import "h" "write" (func $write (param i32 i32 i32 i32)))
        (import "h" "get-stdin" (func $get-stdin (result i32)))
        (import "h" "skip" (func $skip (param i32 i64 i32)))
        (data (i32.const 100) "hello\n")
        (func (export "run") (result i32)
            ;; A program that takes any error for the end of the world.
            (call $write (call $get) (i32.const 100) (i32.const 6) (i32.const 16))
            (if (i32.load8_u (i32.const 16)) (then (unreachable)))
            THEN))
    (core instance $i (instantiate $guest
        (with "m" (instance $m))
        (with "h" (instance
            (export "get" (func $get)) (export "write" (func $write))
            (export "get-stdin" (func $get-stdin)) (export "skip" (func $skip))))))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $run (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $run)))
"#;

/// Whoever runs the tests in the background may have them ignore SIGINT, and their children too.
#[cfg(unix)]
fn listen_to_signals(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let listen = || {
        // SAFETY: It sets what is done about a signal, and may be called before `exec`.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
        Ok(())
    };
    // SAFETY: It does nothing but that.
    unsafe { command.pre_exec(listen) };
}
