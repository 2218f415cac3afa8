//! Components that need what there is not, or export nothing to run: `run` and `inspect`.

use crate::place::{Ended, Place};

#[test]
fn imports_that_nobody_provides_are_all_named() {
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
        "iommap:mmap/types@0.9.0  (this host has version 0.1)\n",
        "acme:db/query@1.0.0\n",
        "wasi:http/types@0.2.3  (this host has no HTTP",
        "\n  f\n",
        "iommap:mmap 0.1, iommap:wasi 0.1 and WASI 0.2",
    ] {
        assert!(message.contains(line), "{line:?}: {message}");
    }
    assert!(!message.contains("wasi:cli/exit") && !message.contains("types-only"), "{message}");

    let Ended { code, out, .. } = place.iommap(&["inspect", "needy.wasm"]);
    assert_eq!(code, Some(1));
    for line in [
        "    provided  wasi:cli/exit@0.2.99\n",
        "    MISSING   acme:db/query@1.0.0\n",
        "    wasi:cli/run@0.2.0\n",
        "it lacks 4 of these imports",
    ] {
        assert!(out.contains(line), "{line:?}: {out}");
    }
}

#[test]
fn an_interface_without_a_function_is_named_with_it() {
    let place = Place::new();
    let imports = r#"(import "wasi:cli/exit@0.2.0" (instance (export "leave" (func))))"#;
    place.program("odd.wasm", "(i32.const 0)", imports);
    let message = place.refusal(&["run", "odd.wasm"]);
    assert!(message.contains("wasi:cli/exit@0.2.0") && message.contains("leave"), "{message}");
    let Ended { code, out, .. } = place.iommap(&["inspect", "odd.wasm"]);
    assert_eq!(code, Some(1));
    let line = out.lines().find(|line| line.contains("MISSING   wasi:cli/exit@0.2.0")).unwrap();
    assert!(line.contains("leave"), "{out}");
    assert!(out.lines().last().unwrap().contains("this host cannot run it: "), "{out}");
}

#[test]
fn a_library_is_told_what_it_exports() {
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
