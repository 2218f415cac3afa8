//! `iommap compile`, and `iommap run --precompiled`.

use crate::place::{Ended, Place};

fn compile(place: &Place, component: &str, output: &str) {
    let Ended { code, out, err } = place.iommap(&["compile", component, "-o", output]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "", ""));
}

#[test]
fn what_was_compiled_ahead_runs_like_the_component() {
    let place = Place::new();
    place.hello("hello.wasm", "(i32.const 0)");
    compile(&place, "hello.wasm", "hello.cwasm");
    std::fs::remove_file(place.path("hello.wasm")).unwrap();
    let Ended { code, out, err } = place.iommap(&["run", "--precompiled", "hello.cwasm"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "hello\n", ""));
    assert!(!place.path("cache").exists(), "it needs none");

    place.program("loops.wasm", "(loop (br 0)) (unreachable)", "");
    compile(&place, "loops.wasm", "loops.cwasm");
    let ended = place.iommap(&["run", "--timeout", "0.1", "--precompiled", "loops.cwasm"]);
    assert_eq!(ended.code, Some(124));
}

#[test]
fn components_with_async_types_can_be_compiled_ahead() {
    let place = Place::new();
    place.program("async.wasm", "(i32.const 0)", "(type (stream u8))");
    compile(&place, "async.wasm", "async.cwasm");
    assert_eq!(place.iommap(&["run", "--precompiled", "async.cwasm"]).code, Some(0));
}

#[test]
fn native_code_runs_only_if_it_is_asked_for() {
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    compile(&place, "ok.wasm", "ok.cwasm");
    let message = place.refusal(&["run", "ok.cwasm"]);
    assert!(message.contains("--precompiled") && message.contains("trust"), "{message}");
    let help = place.iommap(&["run", "--help"]).out;
    assert!(help.contains("Only from whom you trust"), "{help}");
}

#[test]
fn what_is_not_for_precompiled_is_refused() {
    let place = Place::new();
    place.program("ok.wasm", "(i32.const 0)", "");
    compile(&place, "ok.wasm", "ok.cwasm");
    // Another version of wasmtime, whose name stands in the file.
    let mut old = std::fs::read(place.path("ok.cwasm")).unwrap();
    let version = wasmtime_environ::VERSION.split('.').next().unwrap().as_bytes();
    let section = [&[0, u8::try_from(version.len()).unwrap()], version].concat();
    let at = old.windows(section.len()).position(|window| window == section).unwrap();
    old[at + 2] = b'0';
    place.write("old.cwasm", old);
    for (args, words) in [
        (&["run", "--precompiled", "ok.wasm"][..], &["not what `iommap compile` writes"][..]),
        (&["run", "--precompiled", "none.cwasm"], &["no file none.cwasm"]),
        (&["run", "--precompiled", "old.cwasm"], &["not for this iommap", "again, here"]),
        (&["compile", "ok.wasm", "-o", "ok.wasm"], &["is the component itself"]),
        (&["compile", "ok.wasm", "-o", "none/x"], &["cannot be written"]),
        (&["compile", "ok.wasm"], &["--output"]),
    ] {
        let message = place.refusal(args);
        for word in words {
            assert!(message.contains(word), "{args:?}: {message}");
        }
    }
}
