//! What is refused before anything runs, and what is said then.

use crate::place::{Ended, Place};

#[test]
fn what_is_no_component_is_told_what_it_is_and_what_to_do() {
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
        ("data.wasm", &[r#"starts with "\xff\xfe\x00\x01""#, "your build wrote"]),
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
        assert_eq!(place.refusal(&["compile", name, "-o", "out"]), message);
    }
}

#[test]
fn directories_that_cannot_be_granted_are_told_why() {
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    let missing = place.refusal(&["run", "--dir", "missing::/data", "ok.wasm"]);
    assert!(missing.contains("--dir missing::/data: there is no directory missing"), "{missing}");
    let file = place.refusal(&["run", "--dir", ".", "--dir", "ok.wasm::/d", "ok.wasm"]);
    assert!(file.contains("--dir ok.wasm::/d: ok.wasm is not a directory"), "{file}");
    for (grant, doubled) in [(".:/data", ".::/data"), (".:/data:ro", ".::/data::ro")] {
        let message = place.refusal(&["run", "--dir", grant, "ok.wasm"]);
        assert!(message.contains(&format!("write `--dir {doubled}`")), "{message}");
    }
    for grant in ["", "::/data", ".::", ".::ro", ".::/d::wo", ".::/d::ro::x"] {
        let message = place.refusal(&["run", "--dir", grant, "ok.wasm"]);
        assert!(message.contains("--dir"), "{message}");
    }
}

#[test]
fn of_two_directories_of_one_name_it_says_which_counts() {
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    let twice = ["run", "--dir", ".::/data", "--dir", "/::data/", "ok.wasm"];
    let Ended { code, err, .. } = place.iommap(&twice);
    assert_eq!(code, Some(0));
    assert!(err.starts_with("iommap: warning: --dir /::data/ has the name of"), "{err}");
    assert!(err.contains("--dir .::/data: the later one counts"), "{err}");
}

#[test]
fn a_command_line_with_a_mistake_is_told_what_to_write() {
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    for (args, word) in [
        (&["run"][..], "COMPONENT.wasm"),
        (&["run", "--limit", "nonsense=1", "ok.wasm"], "mapped-bytes"),
        (&["run", "--limit", "window=3", "ok.wasm"], "mean `windows`? The limits are mappings,"),
        (&["run", "--limit", "mappings", "ok.wasm"], "NAME=VALUE"),
        (&["run", "--limit", "mappings=lots", "ok.wasm"], "64MiB"),
        (&["run", "--limit", "mappings=99999999999T", "ok.wasm"], "too large"),
        (&["run", "--env", "NOT_SET_HERE", "ok.wasm"], "NOT_SET_HERE=VALUE"),
        (&["run", "--env", "=x", "ok.wasm"], "no name"),
        (&["run", "--timeout", "-1", "ok.wasm"], "number of seconds"),
        (&["run", "--timeout", "soon", "ok.wasm"], "5s"),
        (&["run", "--nonsense", "ok.wasm"], "--nonsense"),
        (&["run", "--timout", "5", "ok.wasm"], "'--timeout'"),
        (&["run", "--dri", ".", "ok.wasm"], "'--dir'"),
        (&["run", "--vebrose", "ok.wasm"], "'--verbose'"),
        (&["inspct", "ok.wasm"], "'inspect'"),
        (&["rnu", "ok.wasm"], "'run'"),
        (&["ok.wasm", "--dir", "."], "`iommap run ok.wasm`"),
        (&["it's my.wasm"], r"`iommap run 'it'\''s my.wasm'`"),
        (&["nonsense"], "nonsense"),
        (&["man", "nonsense"], "no command `nonsense`"),
        (&["completions", "nonsense"], "fish"),
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
fn names_that_are_not_utf8_make_nothing_panic() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    let odd = OsStr::from_bytes(b"caf\xe9.wasm");
    let run =
        |args: &[&OsStr]| -> Ended { place.command(&["run"]).args(args).output().unwrap().into() };
    assert!(run(&[odd]).err.contains("there is no file"));
    std::fs::copy(place.path("ok.wasm"), place.path(".").join(odd)).unwrap();
    assert_eq!(run(&[odd]).code, Some(0));
    let argument = run(&[OsStr::new("ok.wasm"), odd]);
    assert_eq!(argument.code, Some(2));
    assert!(argument.err.contains("not UTF-8"), "{}", argument.err);
    assert_eq!(run(&[OsStr::new("--dir"), odd, OsStr::new("ok.wasm")]).code, Some(2));
    // Where a name is looked for that was meant, too.
    let option = OsStr::new("--timout");
    let meant = run(&[option, odd]);
    assert_eq!(meant.code, Some(2), "{}", meant.err);
    assert!(meant.err.contains("'--timeout'"), "{}", meant.err);
    let no_command: Ended = place.command(&["--xyz"]).arg(odd).output().unwrap().into();
    assert_eq!(no_command.code, Some(2), "{}", no_command.err);
    assert!(no_command.err.contains("'--xyz'"), "{}", no_command.err);
}

/// The program's own name is not among what it is told.
#[cfg(unix)]
#[test]
fn a_program_that_is_called_as_a_command_is_not_taken_for_it() {
    use std::os::unix::process::CommandExt;
    let place = Place::new();
    let mut command = place.command(&["--timout"]);
    let Ended { code, err, .. } = command.arg0("run").output().unwrap().into();
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("'--timout'") && !err.contains("'--timeout'"), "{err}");
}
