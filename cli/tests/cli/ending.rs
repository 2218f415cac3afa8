//! Programs that are ended: by their time limit, by a signal.

use crate::place::{Ended, Place};

#[test]
fn a_program_without_an_end_is_ended_in_time() {
    let place = Place::new();
    place.program("loops.wasm", "(loop (br 0)) (unreachable)", "");
    for (time, told) in [("0.2", "200ms"), ("300ms", "300ms")] {
        let args = ["run", "--stats", "--timeout", time, "loops.wasm"];
        let Ended { code, err, .. } = place.iommap(&args);
        assert_eq!(code, Some(124), "{err}");
        assert!(err.contains(&format!("ended after {told}: ")), "{err}");
        assert!(err.contains("mappings opened   0"), "{err}");
    }
}

/// A component is kept as it is compiled once, however it is run.
#[test]
fn a_time_limit_compiles_nothing_anew() {
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    let run = |options: &[&str]| {
        let args = [&["run"], options, &["ok.wasm"]].concat();
        let Ended { code, err, .. } = place.iommap(&args);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        place.cached()
    };
    let once = run(&[]);
    assert_eq!(once.len(), 1, "{once:?}");
    assert_eq!(run(&["--timeout", "1h"]), once);
}

#[cfg(unix)]
mod signals {
    use super::{Ended, Place};
    use libc::{SIGINT, SIGTERM};
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Child, ChildStdout, Command, Stdio};
    use std::thread;
    use std::time::{Duration, Instant};

    /// A program that has said that it is there.
    struct Running {
        child: Child,
        out: BufReader<ChildStdout>,
    }

    impl Running {
        fn start(command: &mut Command) -> Running {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut out = BufReader::new(child.stdout.take().unwrap());
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            assert_eq!(line, "hello\n");
            Running { child, out }
        }

        fn end(mut self, process: u32, signal: i32) -> Ended {
            let process = libc::pid_t::try_from(process).unwrap();
            // SAFETY: It has no pointers, and the process is a child that nobody has waited for.
            assert_eq!(unsafe { libc::kill(process, signal) }, 0);
            let mut rest = String::new();
            self.out.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "");
            self.child.wait_with_output().unwrap().into()
        }
    }

    /// Programs that go on: one computes, one waits in the host.
    fn programs(place: &Place) -> [&'static str; 2] {
        place.hello("computes.wasm", "(loop (br 0)) (unreachable)");
        place.waits("waits.wasm");
        ["computes.wasm", "waits.wasm"]
    }

    #[test]
    fn signals_end_a_program_with_their_exit_code_and_stats() {
        let place = Place::new();
        for program in programs(&place) {
            for (signal, expected) in [(SIGTERM, 143), (SIGINT, 130)] {
                for options in [&["--stats"][..], &["--stats", "--timeout", "1h"]] {
                    let mut command = place.command(&["run"]);
                    let running = Running::start(command.args(options).arg(program));
                    let process = running.child.id();
                    let Ended { code, err, .. } = running.end(process, signal);
                    assert_eq!(code, Some(expected), "{program} {options:?}: {err}");
                    assert_eq!(err.matches("mappings opened   0").count(), 1, "{err}");
                    assert!(!err.contains("trapped"), "{err}");
                }
            }
        }
    }

    #[test]
    fn a_signal_that_is_ignored_stays_so() {
        use std::os::unix::process::CommandExt;
        let place = Place::new();
        place.hello("waits.wasm", "(loop (br 0)) (unreachable)");
        let mut command = place.command(&["run", "waits.wasm"]);
        let ignore = || {
            // SAFETY: It sets what is done about a signal, and may be called before `exec`.
            unsafe { libc::signal(SIGINT, libc::SIG_IGN) };
            Ok(())
        };
        // SAFETY: It does nothing but that.
        unsafe { command.pre_exec(ignore) };
        let running = Running::start(&mut command);
        let process = running.child.id();
        // SAFETY: It has no pointers, and the process is a child that nobody has waited for.
        assert_eq!(unsafe { libc::kill(process.cast_signed(), SIGINT) }, 0);
        assert_eq!(running.end(process, SIGTERM).code, Some(143));
    }

    /// A process of that number gets no signal that it does not ask for.
    #[cfg(target_os = "linux")]
    #[test]
    fn signals_end_process_1_too() {
        let place = Place::new();
        for program in programs(&place) {
            let iommap = place.command(&["run", program]);
            let mut command = Command::new("unshare");
            command.args(["--pid", "--fork", "--kill-child", "--"]);
            command.arg(iommap.get_program()).args(iommap.get_args());
            command.current_dir(place.path(".")).env("XDG_CACHE_HOME", place.path("cache"));
            let can = Command::new("unshare").args(["--pid", "--fork", "true"]).output();
            if !can.is_ok_and(|output| output.status.success()) {
                eprintln!("skipped: no namespace of processes can be made (unshare --pid)");
                return;
            }
            let running = Running::start(&mut command);
            let parent = running.child.id();
            let children = format!("/proc/{parent}/task/{parent}/children");
            let children = std::fs::read_to_string(children).unwrap();
            let process = children.trim().parse().unwrap();
            let Ended { code, err, .. } = running.end(process, SIGTERM);
            assert_eq!(code, Some(143), "{program}: {err}");
        }
    }

    /// A pipe that nobody reads, full before a program starts.
    fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
        use std::io::{ErrorKind, Write};
        use std::os::fd::AsRawFd;
        let (reader, full) = std::io::pipe().unwrap();
        // SAFETY: It has no pointers, and the descriptor is open.
        let set = |flags: i32| unsafe { libc::fcntl(full.as_raw_fd(), libc::F_SETFL, flags) };
        assert_eq!(set(libc::O_NONBLOCK), 0);
        // A pipe may take less than it has room for, of more at once.
        for chunk in [4096, 1] {
            let error = loop {
                if let Err(error) = (&full).write(&vec![b'.'; chunk]) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
        }
        // SAFETY: As before. Who gets the pipe waits for it again.
        assert_eq!(unsafe { libc::fcntl(full.as_raw_fd(), libc::F_SETFL, 0) }, 0);
        (reader, full)
    }

    /// The exit code of a program that has to end by itself. It is killed if it doesn't, so that nothing
    /// is left of it.
    fn ends(mut child: Child) -> Option<i32> {
        let late = Instant::now() + Duration::from_secs(60);
        while Instant::now() < late {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("it goes on and on");
    }

    #[test]
    fn somebody_who_does_not_read_cannot_keep_a_program_alive() {
        let place = Place::new();
        place.hello("loops.wasm", "(loop (br 0)) (unreachable)");
        let (reader, full) = full_pipe();
        let mut command = place.command(&["run", "--timeout", "0.5", "loops.wasm"]);
        command.stdout(Stdio::null()).stderr(full);
        assert_eq!(ends(command.spawn().unwrap()), Some(124));
        drop(reader);
    }

    /// The rest of the output is what Rust would write at the end of a process.
    #[test]
    fn part_of_a_line_that_nobody_reads_keeps_no_program_alive() {
        let place = Place::new();
        place.part_of_a_line("computes.wasm", "(loop (br 0)) (unreachable)");
        let (reader, full) = full_pipe();
        let mut command = place.command(&["run", "--timeout", "0.5", "computes.wasm"]);
        let mut child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let mut err = child.stderr.take().unwrap();
        assert_eq!(ends(child), Some(124));
        let mut said = String::new();
        err.read_to_string(&mut said).unwrap();
        assert!(said.contains("ended after 500ms"), "{said}");
        drop(reader);
    }

    #[test]
    fn part_of_a_line_is_written_at_the_end() {
        let place = Place::new();
        place.part_of_a_line("computes.wasm", "(loop (br 0)) (unreachable)");
        let Ended { code, out, err } = place.iommap(&["run", "--timeout", "0.5", "computes.wasm"]);
        assert_eq!((code, out.as_str()), (Some(124), "hello"), "{err}");
    }
}
