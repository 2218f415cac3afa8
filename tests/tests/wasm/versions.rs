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

/// Lets a guest of one version of WASI map a file and a directory.
#[track_caller]
fn try_version(kind: Kind, version: &str) {
    let scene = Scene::new(kind);
    scene.write("f", "hello");
    let text = include_str!("../../src/descriptor.wat").replace("VERSION", version);
    let component = Component::new(kind.engine(), text).unwrap();
    let mut host = Host::new(kind, &mut scene.grant());
    let account = host.account();
    let instance = host.instantiate(&component).unwrap();

    let map = instance.get_typed_func(&mut host.store, "map").unwrap();
    for (mode, expected) in [(0u32, OK), (2, EACCES)] {
        let file = File::open(scene.path("f")).unwrap();
        let file = filesystem::File::new(file, FsPerms::ReadWrite, OpenMode::READ, true);
        let table = host.store.data_mut().table();
        let handle: Resource<Descriptor> = table.push(Descriptor::File(file)).unwrap();
        let (answer,): (u32,) = host.call(&map, (handle, mode)).unwrap();
        assert_eq!(answer, expected, "{version}, mode {mode}, {kind:?}");
    }
    assert_eq!(account.counters().mapped_bytes, 5);

    // One that WASI itself gave to the guest.
    let map_directory = instance.get_typed_func(&mut host.store, "map-directory").unwrap();
    let (answer,): (u32,) = host.call(&map_directory, ()).unwrap();
    assert_eq!(answer, ENOTREG, "{version}, {kind:?}");
}

#[test]
fn given_guests_of_any_wasi_0_2_when_they_map_descriptors_then_they_are_served() {
    for kind in Kind::ALL {
        for version in ["0.2.0", "0.2.3", "0.2.6", "0.2.12", "0.2.99"] {
            try_version(kind, version);
        }
    }
}

#[test]
fn given_a_guest_of_wasi_0_3_when_it_maps_a_descriptor_then_it_is_served() {
    try_version(Kind::Async, "0.3.0");
}
