//! Memory that a component does not get, and the advice that is given then.

use crate::place::{Ended, Place};

#[test]
fn a_memory_over_max_memory_is_told_the_option() {
    let place = Place::new();
    place.hello("hello.wasm", "(i32.const 0)");
    let message = place.refusal(&["run", "--max-memory", "1K", "hello.wasm"]);
    assert!(message.contains("cannot be started") && message.contains("--max-memory"), "{message}");
    assert_eq!(place.iommap(&["run", "--max-memory", "64K", "hello.wasm"]).code, Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn address_space_that_is_limited_is_told_as_such() {
    let place = Place::new();
    place.hello("hello.wasm", "(i32.const 0)");
    let program = env!("CARGO_BIN_EXE_iommap");
    let script = format!("ulimit -v 2000000; exec {program} run --no-cache hello.wasm");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]).current_dir(place.path("."));
    let Ended { code, err, .. } = command.output().unwrap().into();
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("ulimit -v"), "{err}");
    assert!(!err.contains("--max-memory") && !err.contains("damaged"), "{err}");
}

/// `PR_SET_MDWE`, which systemd's MemoryDenyWriteExecute uses.
#[cfg(target_os = "linux")]
#[test]
fn memory_that_may_not_be_executed_is_told_as_such() {
    use std::os::unix::process::CommandExt;
    const PR_SET_MDWE: i32 = 65;
    const REFUSE_EXEC_GAIN: libc::c_ulong = 1;
    let place = Place::new();
    place.hello("hello.wasm", "(i32.const 0)");
    let mut command = place.command(&["run", "--no-cache", "hello.wasm"]);
    let forbid = || {
        // SAFETY: It is a system call that touches no memory.
        match unsafe { libc::prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: It does nothing but that.
    unsafe { command.pre_exec(forbid) };
    let output = match command.output() {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            eprintln!("skipped: this kernel cannot forbid memory to become executable");
            return;
        }
        other => other.unwrap(),
    };
    let Ended { code, err, .. } = output.into();
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("MemoryDenyWriteExecute") && !err.contains("damaged"), "{err}");
}
