//! What the command line says of itself: help, version, manual, completions, log.

use crate::place::{Ended, Place};

#[test]
fn what_is_asked_for_goes_to_standard_output() {
    let place = Place::new();
    let version = format!("{} (wasmtime 48.", env!("CARGO_PKG_VERSION"));
    for (args, word) in [
        (&["--help"][..], "iommap run --dir"),
        (&["run", "--help"], "mapped-bytes"),
        (&["run", "-h"], "--stats"),
        (&["inspect", "--help"], "COMPONENT.wasm"),
        (&["compile", "--help"], "--precompiled"),
        (&["--version"], &version),
    ] {
        let Ended { code, out, err } = place.iommap(args);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}");
        assert!(out.contains(word), "{args:?}: {out}");
        assert!(out.lines().all(|line| line == line.trim_end() || line.trim().is_empty()), "{out}");
    }
}

#[test]
fn shells_and_man_get_what_they_need() {
    let place = Place::new();
    for (args, words) in [
        (&["man"][..], &[".TH iommap 1", "iommap\\-run(1)"][..]),
        (&["man", "run"], &[".TH iommap-run 1", "\\-\\-precompiled", "mapped\\-bytes"]),
        (&["completions", "bash"], &["complete -F _iommap", "--max-memory"]),
        (&["completions", "zsh"], &["#compdef iommap", "--max-memory"]),
        (&["completions", "fish"], &["complete -c iommap", "max-memory"]),
    ] {
        let Ended { code, out, err } = place.iommap(args);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}");
        for word in words {
            assert!(out.contains(word), "{args:?} {word}: {out}");
        }
    }
}

#[test]
fn a_filter_for_the_log_that_is_none_is_told_and_that_is_all() {
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    let mut command = place.command(&["run", "ok.wasm"]);
    let Ended { code, err, .. } = command.env("IOMMAP_LOG", "=x=").output().unwrap().into();
    assert_eq!(code, Some(0));
    assert!(err.starts_with("iommap: warning: IOMMAP_LOG=") && err.contains("debug"), "{err}");
}
