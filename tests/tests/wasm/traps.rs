//! Traps of wasm beside the guard: each signal goes to whom it belongs.

use iommap_tests::child::in_child;
use iommap_tests::command_line::{iommap_run, said};
use iommap_tests::scene::{Kind, Scene, assert_all_returned, on_each_store, page, pattern};
use iommap_tests::wat::HONEST;
use wasmtime::Trap;

/// Which trap an error is.
fn trap<T>(result: wasmtime::Result<T>) -> Option<Trap> {
    result.err()?.downcast_ref().copied()
}

#[test]
fn wasm_that_leaves_its_memory_traps_and_others_go_on() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(10_000));
            let mut bystander = scene.guest();
            bystander.play("open m /data/f read -> ok");
            for _ in 0..3 {
                let mut guest = scene.guest();
                guest.play("open m /data/f read -> ok");
                assert_eq!(trap(guest.try_step("oob")), Some(Trap::MemoryOutOfBounds));
                let usage = guest.usage();
                drop(guest);
                assert_all_returned(&usage);
                bystander.play("pread m 0 0 -> ok hex:");
            }
        });
    });
}

#[test]
fn wasm_that_reaches_unreachable_traps() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", "hello");
            let mut guest = scene.guest();
            guest.play("open m /data/f read -> ok");
            assert_eq!(trap(guest.try_step("trap")), Some(Trap::UnreachableCodeReached));
        });
    });
}

#[test]
fn wasm_without_stack_left_traps() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", "hello");
            let mut guest = scene.hostile(HONEST);
            assert_eq!(guest.open().unwrap(), "ok");
            assert_eq!(trap(guest.recurse()), Some(Trap::StackOverflow));
            let mut other = scene.guest();
            other.play("open m /data/f read -> ok");
        });
    });
}

#[test]
fn faults_and_traps_in_turn_are_each_what_they_are() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(3 * page() as usize));
            let mut reader = scene.guest();
            reader.play("open m /data/f read-write -> ok");
            scene.cut("f", 0);
            for faults in 1..=5 {
                let mut guest = scene.guest();
                guest.play("open m /data/f read-write -> ok");
                assert_eq!(trap(guest.try_step("oob")), Some(Trap::MemoryOutOfBounds));
                reader.play("pread m 1 100 -> err sigbus");
                assert_eq!(reader.counters().faults_recovered, faults);
            }
        });
    });
}

#[test]
fn threads_that_trap_and_fault_at_once_each_get_their_own() {
    in_child(|| {
        std::thread::scope(|threads| {
            for kind in Kind::ALL {
                threads.spawn(move || {
                    let scene = iommap_tests::Scene::new(kind);
                    scene.write("f", pattern(3 * page() as usize));
                    let mut reader = scene.guest();
                    reader.play("open m /data/f read-write -> ok");
                    scene.cut("f", 0);
                    for _ in 0..50 {
                        let mut guest = scene.guest();
                        assert_eq!(trap(guest.try_step("oob")), Some(Trap::MemoryOutOfBounds));
                        reader.play("pread m 0 100 -> err sigbus");
                        reader.play("pwrite m 5 fill:1:100 -> err sigbus");
                    }
                    assert_eq!(reader.counters().faults_recovered, 100);
                });
            }
        });
    });
}

/// Calls through a function type with subtypes: a build of wasmtime without garbage collection aborted.
const SUBTYPES: &str = r#"
    (component
      (core module $main
        (type $final (func (result i32)))
        (type $super (sub (func (result i32))))
        (type $sub (sub $super (func (result i32))))
        (func $f (type $super) (i32.const 0))
        (table 1 1 funcref)
        (elem (i32.const 0) $f)
        (func (export "run") (type $final) (call_indirect (type $sub) (i32.const 0))))
      (core instance $main (instantiate $main))
      (func $run (result (result)) (canon lift (core func $main "run")))
      (instance $exports (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $exports)))
"#;

#[test]
fn a_guest_with_wasm_gc_types_is_refused_and_does_not_abort() {
    let scene = Scene::new(Kind::Sync);
    let guest = scene.path("guest.wasm");
    std::fs::write(&guest, wat::parse_str(SUBTYPES).unwrap()).unwrap();
    let guest = guest.to_str().unwrap();
    let (code, out, err) =
        said(&iommap_run::<&str>(scene.directory(), &[], guest, &[]).output().unwrap());
    assert_eq!((code, &*out), (2, ""), "{err}");
    assert!(err.contains("subtypes"), "{err}");
}
