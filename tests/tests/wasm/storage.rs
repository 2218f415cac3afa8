//! What guests do with the storage behind their files, on every kind of store.

use std::fs;
#[cfg(target_os = "linux")]
use std::os::unix::fs::MetadataExt;

use iommap::{FsPerms, IommapCtx, Mapping, MappingHandle};
use iommap_tests::scene::{
    Guest, Host, Scene, assert_all_returned, fnv, on_each_store, page, pattern, shown,
};
use wasmtime::component::{Component, Instance, Resource};

/// A guest that has the file `f` mapped as `m`.
fn guest(scene: &Scene) -> Guest {
    let mut guest = scene.viewer(&mut scene.grant());
    guest.play("open m /data/f read-write -> ok");
    guest
}

#[cfg(target_os = "linux")]
#[test]
fn a_hole_is_zeros_for_everybody_and_has_no_blocks() {
    on_each_store(|scene| {
        let mut contents = pattern(1 << 20);
        scene.write("f", &contents);
        fs::File::open(scene.path("f")).unwrap().sync_all().unwrap();
        let blocks = || fs::metadata(scene.path("f")).unwrap().blocks();
        let before = blocks();
        let [mut one, mut other] = [guest(scene), guest(scene)];
        match &*one.step("punch-hole m 5 1000000") {
            "ok" => {}
            "err enotsup" => return println!("skipped: the file system has no holes"),
            answer => panic!("{answer}"),
        }
        assert!(blocks() <= before - 1900);
        contents[5..1_000_005].fill(0);
        assert_eq!(scene.read("f"), contents);
        let all = format!("pread m 0 {} -> ok {}", 1 << 20, shown(&contents));
        one.play(&all);
        other.play(&all);
        one.play("allocate m 0 1048576 -> ok");
        assert!(blocks() >= (1 << 20) / 512);
        other.play(&all);
        one.play("zero-range m 1048570 6 -> ok\nzero-range m 0 3 -> ok");
        contents[1_048_570..].fill(0);
        contents[..3].fill(0);
        let hash = fnv(&contents);
        other.play(&format!("pread m 0 1048576 -> ok len=1048576 fnv={hash:016x}"));
        // Others cut the file, and it does not grow again.
        scene.cut("f", 7);
        one.play(
            "punch-hole m 0 1048576 -> ok\nzero-range m 0 9999 -> ok\nallocate m 8192 9 -> ok",
        );
        assert_eq!(scene.read("f"), [0; 7]);
        one.play("pread m 1000000 1 -> err sigbus");
        let usages = [one.usage(), other.usage()];
        drop((one, other));
        usages.iter().for_each(|usage| assert_all_returned(usage));
    });
}

#[test]
fn storage_that_may_not_be_changed_is_refused_in_order() {
    on_each_store(|scene| {
        scene.write("f", pattern(3 * page() as usize));
        let mut context = scene.grant();
        context.max_file_bytes(2 * page());
        let lent = Mapping::options().read(true).write(true).open(scene.path("f")).unwrap();
        context.share("/shared", lent, FsPerms::ReadWrite);
        let mut guest = scene.viewer(&mut context);
        let (page, end) = (page(), 3 * page());
        for operation in ["punch-hole", "zero-range", "allocate"] {
            guest.play(&format!(
                "
                open m /data/f read-write                   -> ok
                open r /data/f read                         -> ok
                open p /data/f read-write private           -> ok
                open s /shared read-write                   -> ok
                {operation} r 0xffffffffffffffff 1          -> err eacces
                {operation} p 0 0                           -> err eacces
                {operation} s 0 1                           -> err eacces
                {operation} m 0xffffffffffffffff 1          -> err out-of-bounds
                {operation} m {end} 1                       -> err out-of-bounds
                {operation} m {end} 0                       -> ok
                close m -> ok
                close r -> ok
                close p -> ok
                close s -> ok
                "
            ));
        }
        guest.play("open m /data/f read-write -> ok\nopen s /shared read-write -> ok");
        guest.play(&format!("allocate m {page} {} -> err limit-exceeded", page + 1));
        guest.play(&format!("zero-range m {} 1 -> err limit-exceeded", 2 * page));
        guest.play("sync-entry s -> err eacces");
        assert_eq!(scene.read("f"), pattern(3 * page as usize));

        let mut reader = scene.viewer(&mut scene.grant_as(FsPerms::ReadOnly));
        reader.play("open m /data/f read -> ok\nsync-entry m -> err eacces\nsync-all m -> ok");
    });
}

#[test]
fn an_entry_is_synced_where_the_path_leads_to_the_file() {
    on_each_store(|scene| {
        let mut guest = scene.viewer(&mut scene.grant());
        guest.play(
            "
            open m /data/new read-write create size=9   -> ok
            sync-entry m                                -> ok
            file f /data/new read-write                 -> ok
            map-open w f read-write                     -> ok
            sync-entry w                                -> err enotsup
            ",
        );
        fs::rename(scene.path("new"), scene.path("other")).unwrap();
        guest.play("sync-entry m -> err enoent");
        scene.write("new", "another");
        guest.play("sync-entry m -> err enoent\npread m 0 1 -> ok hex:00");
        fs::remove_file(scene.path("other")).unwrap();
        guest.play("sync-entry m -> err enoent");
    });
}

#[cfg(unix)]
#[test]
fn an_entry_outside_of_the_grant_is_not_synced() {
    on_each_store(|scene| {
        fs::create_dir(scene.path("inside")).unwrap();
        let mut guest = scene.viewer(&mut scene.grant());
        guest.play("open m /data/inside/f read-write create size=9 -> ok\nsync-entry m -> ok");
        let outside = tempfile::tempdir().unwrap();
        fs::hard_link(scene.path("inside/f"), outside.path().join("f")).unwrap();
        fs::rename(scene.path("inside"), scene.path("elsewhere")).unwrap();
        std::os::unix::fs::symlink(outside.path(), scene.path("inside")).unwrap();
        guest.play("sync-entry m -> err eacces\npread m 0 1 -> ok hex:00");
    });
}

#[test]
fn many_mappings_are_synced_and_the_first_that_fails_is_named() {
    on_each_store(|scene| {
        let mut guest = scene.viewer(&mut scene.grant());
        guest.play(
            "
            open a /data/a read-write create size=9     -> ok
            open b /data/b read-write create size=9     -> ok
            open r /data/b read                         -> ok
            pwrite a 0 text:one                         -> ok
            pwrite b 0 text:two                         -> ok
            sync-all                                    -> ok
            sync-all a r b a                            -> ok
            ",
        );
        assert_eq!((&scene.read("a")[..3], &scene.read("b")[..3]), (&b"one"[..], &b"two"[..]));
        // A file that is cut has its pages on the device; a private page that was cut has not.
        guest.play("open p /data/b read-write private -> ok\npwrite p 0 text:mine -> ok");
        scene.cut("b", 0);
        guest.play("sync-all a p b -> err /data/b: sigbus\nsync p sync -> err sigbus");
        guest.play("sync-all a b -> ok");
    });
}

/// A guest that passes lists of handles as no compiler would write them.
const LISTS: &str = r#"
    (module
      (import "iommap:mmap/storage@0.1.0" "sync-many" (func $sync (param i32 i32 i32)))
      (import "iommap:mmap/types@0.1.0" "[method]mapping.close"
        (func $close (param i32 i32)))
      (memory (export "memory") 2)
      (global $handle (mut i32) (i32.const 0))
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
      (func (export "adopt") (param $handle i32)
        (local $at i32)
        (global.set $handle (local.get $handle))
        (local.set $at (i32.const 65536))
        (loop $next
          (i32.store (local.get $at) (local.get $handle))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (br_if $next (i32.lt_u (local.get $at) (i32.const 131072)))))
      (func (export "close") (call $close (global.get $handle) (i32.const 64)))
      (func (export "sync") (param $start i32) (param $count i32) (result i32)
        (call $sync (local.get $start) (local.get $count) (i32.const 8))
        ;; The result's case, the index and the error's case.
        (i32.add (i32.load8_u (i32.const 8))
          (i32.add (i32.shl (i32.load (i32.const 12)) (i32.const 16))
            (i32.shl (i32.load8_u (i32.const 16)) (i32.const 8))))))
"#;

const LISTS_WIT: &str = "
    package iommap:test;
    world lists {
        import iommap:mmap/types@0.1.0;
        import iommap:mmap/storage@0.1.0;
        use iommap:mmap/types@0.1.0.{mapping};
        export adopt: func(it: mapping);
        export close: func();
        export sync: func(start: u32, count: u32) -> u32;
    }
";

/// The guest, with a mapping.
fn lists(scene: &Scene) -> (Host, Instance) {
    let component = iommap_wat::component(&[LISTS_WIT], "iommap:test/lists", LISTS).unwrap();
    let component = Component::new(scene.kind().engine(), component).unwrap();
    let mut host = Host::new(scene.kind(), &mut IommapCtx::builder());
    let instance = host.instantiate(&component).unwrap();
    scene.write("f", "contents");
    let mapping = Mapping::options().read(true).write(true).open(scene.path("f")).unwrap();
    let handle: Resource<MappingHandle> =
        host.store.data_mut().table().push(mapping.into()).unwrap();
    let adopt = instance.get_typed_func::<_, ()>(&mut host.store, "adopt").unwrap();
    host.call(&adopt, (handle,)).unwrap();
    (host, instance)
}

#[test]
fn no_list_of_mappings_is_worked_on_by_the_guests_number() {
    const START: u32 = 65536;
    let codes = iommap_wat::error_codes().unwrap();
    let code = |name: &str| codes.iter().position(|code| code == name).unwrap() as u32;
    on_each_store(|scene| {
        let (mut host, instance) = lists(scene);
        let mut sync = |start: u32, count: u32| {
            let sync =
                instance.get_typed_func::<(u32, u32), (u32,)>(&mut host.store, "sync").unwrap();
            host.call(&sync, (start, count)).map(|(answer,)| answer)
        };
        for count in [0, 1, 1024] {
            assert_eq!(sync(START, count).unwrap() & 1, 0, "{count}");
        }
        for count in [1025, START / 4] {
            assert_eq!(sync(START, count).unwrap(), 1 | code("limit-exceeded") << 8 | 1024 << 16);
        }
        let close = instance.get_typed_func::<(), ()>(&mut host.store, "close").unwrap();
        host.call(&close, ()).unwrap();
        let sync = instance.get_typed_func::<(u32, u32), (u32,)>(&mut host.store, "sync").unwrap();
        assert_eq!(host.call(&sync, (START, 7)).unwrap(), (1 | code("closed") << 8,));
    });
    // What lies outside of the memory, or names nothing, is a trap of that guest's.
    for (start, count) in [(2 * START - 4, 2), (START, u32::MAX), (START + 2, 1), (128, 1)] {
        on_each_store(|scene| {
            let (mut host, instance) = lists(scene);
            let sync =
                instance.get_typed_func::<(u32, u32), (u32,)>(&mut host.store, "sync").unwrap();
            assert!(host.call(&sync, (start, count)).is_err(), "{start} {count}");
        });
    }
}
