//! `iommap:wasi` with every version of WASI that wasmtime-wasi serves.

use std::fs::File;

use iommap_tests::scene::{Host, Kind, Scene};
use wasmtime::component::{Component, Resource};
use wasmtime_wasi::filesystem::{self, Descriptor};
use wasmtime_wasi::{FsPerms, OpenMode};

/// What the guest answers: `ok`, or a number that is one more than the error's in `iommap.wit`.
const OK: u32 = 0;
const EACCES: u32 = 1 + 3;
const ENOTREG: u32 = 1 + 8;

/// What the guest imports and exports, beside `iommap:wasi`.
const WORLD: &str = "
    package iommap:test;

    world mapper {
        use wasi:filesystem/types@VERSION.{descriptor};
        import wasi:filesystem/preopens@VERSION;
        import iommap:wasi/files@0.1.0;
        export map-file: func(file: descriptor, mode: u32) -> u32;
        export map-directory: func() -> u32;
    }
";

/// The guest. Results are written at 64; from 1024 on memory is given out.
const MODULE: &str = r#"
    (module
      (import "iommap:wasi/files@0.1.0" "map-descriptor"
        (func $map (param i32 i32 i32 i32 i64 i32)))
      (import "wasi:filesystem/preopens@VERSION" "get-directories"
        (func $directories (param i32)))
      (memory (export "memory") 1)
      (global $next (mut i32) (i32.const 1024))
      (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
        (global.set $next (i32.add (local.get $at) (local.get $size)))
        (local.get $at))
      (func $try (export "map-file") (param $descriptor i32) (param $mode i32) (result i32)
        (call $map (local.get $descriptor) (local.get $mode) (i32.const 0)
          (i32.const 0) (i64.const 0) (i32.const 64))
        (if (result i32) (i32.load8_u (i32.const 64))
          (then (i32.add (i32.const 1) (i32.load8_u (i32.const 68))))
          (else (i32.const 0))))
      (func (export "map-directory") (result i32)
        (call $directories (i32.const 64))
        (call $try (i32.load (i32.load (i32.const 64))) (i32.const 0))))
"#;

/// A guest that maps descriptors of one version of WASI's.
fn guest(version: &str) -> Vec<u8> {
    // As the comment at the end of that file tells a user to.
    let wasi = iommap_wat::WASI
        .replace("wasi:filesystem/types@0.2.1", &format!("wasi:filesystem/types@{version}"))
        .replace(
            "package wasi:filesystem@0.2.1 {",
            &format!(
                "package wasi:filesystem@{version} {{
                     interface preopens {{
                         use types.{{descriptor}};
                         get-directories: func() -> list<tuple<descriptor, string>>;
                     }}"
            ),
        );
    let (world, module) = (WORLD.replace("VERSION", version), MODULE.replace("VERSION", version));
    iommap_wat::component(&[&wasi, &world], "iommap:test/mapper", &module).unwrap()
}

/// Lets a guest of one version of WASI map a file and a directory.
#[track_caller]
fn try_version(kind: Kind, version: &str) {
    let scene = Scene::new(kind);
    scene.write("f", "hello");
    let component = Component::new(kind.engine(), guest(version)).unwrap();
    let mut host = Host::new(kind, &mut scene.grant());
    let usage = host.usage();
    let instance = host.instantiate(&component).unwrap();

    let map = instance.get_typed_func(&mut host.store, "map-file").unwrap();
    for (mode, expected) in [(0u32, OK), (2, EACCES)] {
        let file = File::open(scene.path("f")).unwrap();
        let file = filesystem::File::new(file, FsPerms::ReadWrite, OpenMode::READ, true);
        let table = host.store.data_mut().table();
        let handle: Resource<Descriptor> = table.push(Descriptor::File(file)).unwrap();
        let (answer,): (u32,) = host.call(&map, (handle, mode)).unwrap();
        assert_eq!(answer, expected, "{version}, mode {mode}, {kind:?}");
    }
    assert_eq!(usage.counters().mapped_bytes, 5);

    // One that WASI itself gave to the guest.
    let map_directory = instance.get_typed_func(&mut host.store, "map-directory").unwrap();
    let (answer,): (u32,) = host.call(&map_directory, ()).unwrap();
    assert_eq!(answer, ENOTREG, "{version}, {kind:?}");
}

#[test]
fn guests_of_any_wasi_0_2_can_map_descriptors() {
    for kind in Kind::ALL {
        for version in ["0.2.0", "0.2.3", "0.2.6", "0.2.12", "0.2.99"] {
            try_version(kind, version);
        }
    }
}

#[test]
fn a_guest_of_wasi_0_3_can_map_a_descriptor() {
    try_version(Kind::Async, "0.3.0");
}
