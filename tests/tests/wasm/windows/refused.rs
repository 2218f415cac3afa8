//! What a guest is refused, and that nothing is touched then.

use iommap::{
    Budget, BudgetLimits, FsPerms, Import, Limits, Mapping, MappingHandle, OpenOptions, Usage,
};
use iommap_tests::on_each_store;
use iommap_tests::scene::{State, fnv, pattern};
use iommap_tests::windows::{
    FREE, FROZEN, POPULATE, PRIVATE, READ, READ_WRITE, SHARED, TOKEN, UNIT, WRITE, Windowed,
};
use std::fs::File;
use std::sync::Arc;
use wasmtime::component::{Component, Resource};

/// The file's length.
const LENGTH: u64 = 4 * UNIT;

/// The guest's memory, in bytes.
const MEMORY: u64 = 512 * UNIT;

/// A region that would do.
const REGION: (u64, u64, u64) = (FREE, 2 * UNIT, TOKEN);

/// An offset, a length, a region, options, and the answer.
type Case = (u64, u64, (u64, u64, u64), u32, &'static str);

fn try_each(guest: &mut Windowed, cases: &[Case]) {
    for &(offset, length, region, options, expected) in cases {
        let answer = guest.window_in(0, offset, length, region, options);
        assert_eq!(answer, expected, "{length} from {offset} in {region:x?}, options {options}");
    }
    let used = guest.usage().counters();
    assert_eq!((used.windows, used.window_bytes, used.refused), (0, 0, cases.len() as u64));
}

#[test]
fn a_region_or_a_range_that_is_wrong_is_badarg() {
    on_each_store(|scene| {
        scene.write("f", pattern(LENGTH as usize));
        let mut guest = scene.windowed();
        assert_eq!(guest.map("f", READ_WRITE, 0), "ok");
        guest.fill(FREE, 3, 8 * UNIT);
        guest.store(FREE + 2 * UNIT - 8, TOKEN);
        let before = guest.hash(FREE, 8 * UNIT);
        let wrong = |address, length| (address, length, TOKEN);
        try_each(
            &mut guest,
            &[
                (0, 0, REGION, 0, "badarg"),
                (1, UNIT, REGION, 0, "badarg"),
                (4096, UNIT, REGION, 0, "badarg"),
                (0, UNIT, REGION, SHARED | FROZEN, "badarg"),
                (0, UNIT, wrong(FREE + 1, 2 * UNIT), 0, "badarg"),
                (0, UNIT, wrong(FREE + 4096, 2 * UNIT), 0, "badarg"),
                (0, UNIT, wrong(FREE, 2 * UNIT + 8), 0, "badarg"),
                (0, UNIT, wrong(FREE, 0), 0, "badarg"),
                // No room for the token.
                (0, UNIT, wrong(FREE, UNIT), 0, "badarg"),
                (0, 2 * UNIT, REGION, 0, "badarg"),
                (0, 2 * UNIT - 7, REGION, 0, "badarg"),
                // Outside of the memory, also where the sum is too large for a number.
                (0, UNIT, wrong(MEMORY, 2 * UNIT), 0, "badarg"),
                (0, UNIT, wrong(MEMORY - UNIT, 2 * UNIT), 0, "badarg"),
                (0, UNIT, wrong(0u64.wrapping_sub(UNIT), 2 * UNIT), 0, "badarg"),
                (0, UNIT, wrong(UNIT, 0u64.wrapping_sub(UNIT)), 0, "badarg"),
                (0, UNIT, wrong(0, 0u64.wrapping_sub(UNIT)), 0, "badarg"),
                (0, UNIT, wrong(1 << 32, 2 * UNIT), 0, "badarg"),
                (0, UNIT, wrong(0, 1 << 32), 0, "badarg"),
                (0, UNIT, (FREE, 2 * UNIT, 0), 0, "badarg"),
                (0, LENGTH + 1, REGION, 0, "out-of-bounds"),
                (LENGTH, 1, REGION, 0, "out-of-bounds"),
                (u64::MAX - UNIT + 1, UNIT, REGION, 0, "out-of-bounds"),
                // Another token than the one that is there.
                (0, UNIT, (FREE, 2 * UNIT, TOKEN + 1), 0, "enotsup"),
                (0, UNIT, (FREE, 4 * UNIT, TOKEN), 0, "enotsup"),
            ],
        );
        assert_eq!(guest.hash(FREE, 8 * UNIT), before, "nothing was touched");
    });
}

#[test]
fn a_window_over_another_is_badarg() {
    on_each_store(|scene| {
        scene.write("f", pattern(LENGTH as usize));
        let mut guest = scene.windowed();
        assert_eq!(guest.map("f", READ, 0), "ok");
        let middle = FREE + 4 * UNIT;
        guest.store(middle + 3 * UNIT - 8, TOKEN);
        assert_eq!(guest.window_in(0, 0, 2 * UNIT, (middle, 3 * UNIT, TOKEN), 0), "ok");
        for (address, region) in [
            (middle, 3 * UNIT),
            (middle + UNIT, 2 * UNIT),
            (middle + 2 * UNIT, 2 * UNIT),
            (middle - UNIT, 2 * UNIT),
            (middle - UNIT, 6 * UNIT),
        ] {
            guest.store(address + region - 8, TOKEN);
            assert_eq!(guest.window_in(1, 0, 1, (address, region, TOKEN), 0), "badarg");
        }
        for address in [middle - 2 * UNIT, middle + 3 * UNIT] {
            guest.store(address + 2 * UNIT - 8, TOKEN);
            assert_eq!(guest.window_in(1, 0, 1, (address, 2 * UNIT, TOKEN), 0), "ok");
        }
        // The guest's own stores of tokens are all that was changed.
        assert_eq!(guest.hash(middle, UNIT - 8), fnv(&pattern(UNIT as usize - 8)));
        assert_eq!(guest.move_to(0, 0, 3 * UNIT, 0), "badarg", "no room for the token");
        assert_eq!(guest.close(0), "ok");
    });
}

#[test]
fn a_mode_that_does_not_allow_it_is_eacces() {
    on_each_store(|scene| {
        scene.write("f", pattern(LENGTH as usize));
        for (mode, options, flags, expected) in [
            (WRITE, 0, 0, "eacces"),
            (WRITE, 0, SHARED, "eacces"),
            (READ, 0, SHARED, "eacces"),
            (READ, PRIVATE, SHARED, "eacces"),
            (READ_WRITE, PRIVATE, SHARED, "eacces"),
            (READ_WRITE, PRIVATE, 0, "enotsup"),
            (READ, 0, FROZEN, "enotsup"),
            (READ, PRIVATE, 0, "ok"),
            (READ_WRITE, 0, SHARED, "ok"),
        ] {
            let mut guest = scene.windowed();
            assert_eq!(guest.map("f", mode, options), "ok");
            assert_eq!(guest.window(0, 0, UNIT, FREE, flags), expected, "{mode} {options} {flags}");
            assert_eq!(guest.unmap(), "ok");
            assert_eq!(guest.window(1, 0, UNIT, 2 * FREE, flags), "closed");
        }
    });
}

#[test]
fn without_an_unsafe_word_there_are_none_on_files_that_may_change() {
    on_each_store(|scene| {
        scene.write("f", pattern(LENGTH as usize));
        let mut context = scene.grant();
        context.max_windows(4).max_window_bytes(1 << 20);
        let mut guest = scene.windowed_with(&mut context);
        assert_eq!(guest.map("f", READ_WRITE, 0), "ok");
        for (options, expected) in
            [(0, "eacces"), (POPULATE, "eacces"), (FROZEN, "enotsup"), (SHARED, "eacces")]
        {
            assert_eq!(guest.window(0, 0, UNIT, FREE, options), expected);
        }
        // SAFETY: nobody else has the file.
        unsafe { context.windows_on_changing_files(true) };
        let mut guest = scene.windowed_with(&mut context);
        assert_eq!(guest.map("f", READ_WRITE, 0), "ok");
        assert_eq!(guest.window(0, 0, UNIT, FREE, SHARED), "eacces");
        assert_eq!(guest.window(0, 0, UNIT, FREE, 0), "ok");
        assert_eq!(guest.move_to(0, 0, UNIT, SHARED), "eacces");
        assert_eq!(guest.load(FREE), u64::from_le_bytes(pattern(8).try_into().unwrap()));
    });
}

#[test]
fn what_nobody_has_allowed_is_said_before_what_the_file_can_not_have() {
    on_each_store(|scene| {
        scene.write("f", pattern(LENGTH as usize));
        // This one keeps no file that could be mapped once more.
        let lent = Mapping::options().read(true).write(true).open(scene.path("f")).unwrap();
        let mut context = scene.grant();
        context.max_windows(4).max_window_bytes(1 << 20).share("/lent", lent, FsPerms::ReadWrite);
        let mut guest = scene.windowed_with(&mut context);
        assert_eq!(guest.map_path("/lent", READ_WRITE, 0), "ok");
        assert_eq!(guest.window(0, 0, UNIT, FREE, SHARED), "eacces");
        // What others may change only the file itself can say.
        assert_eq!(guest.window(0, 0, UNIT, FREE, 0), "enotsup");
        // SAFETY: nobody else has the file.
        unsafe { context.writable_windows(true) };
        let mut guest = scene.windowed_with(&mut context);
        assert_eq!(guest.map_path("/lent", READ_WRITE, 0), "ok");
        assert_eq!(guest.window(0, 0, UNIT, FREE, SHARED), "enotsup");
    });
}

/// A component that is granted files under another name than the guest with windows, and hands out the
/// mappings that it opens there.
fn giver() -> Vec<u8> {
    let (_, types) = iommap_wat::MMAP.split_once("interface types {").unwrap();
    let (types, _) = types.split_once("\n}\n").unwrap();
    let other = format!("package test:other; interface types {{ {types} }}");
    let world = "
        package iommap:test;
        world giver {
            use test:other/types.{mapping};
            export give: func(path: string, mode: u32) -> mapping;
        }";
    let module = r#"(module
        (import "test:other/types" "[static]mapping.open"
          (func $open (param i32 i32 i32 i32 i32 i64 i32)))
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
        (func (export "give") (param $path i32) (param $length i32) (param $mode i32) (result i32)
          (call $open (local.get $path) (local.get $length) (local.get $mode) (i32.const 0)
            (i32.const 0) (i64.const 0) (i32.const 64))
          (if (i32.load8_u (i32.const 64)) (then unreachable))
          (i32.load (i32.const 68))))"#;
    iommap_wat::component(&[&other, world], "iommap:test/giver", module).unwrap()
}

#[test]
fn a_contexts_word_is_not_for_what_another_context_grants() {
    on_each_store(|scene| {
        scene.write("f", pattern(LENGTH as usize));
        let mut other = scene.grant();
        let frozen = File::open(scene.path("f")).unwrap();
        other.share("/frozen", Mapping::frozen_copy(&frozen).unwrap(), FsPerms::ReadWrite);
        let other = Arc::new(other.max_windows(4).max_window_bytes(1 << 20).build());
        // Windows of every kind, on whatever is there: that is this guest's own context's word.
        let mut guest = scene.windowed();
        let giver = Component::new(scene.kind().engine(), giver()).unwrap();
        let (host, context) = (guest.host(), other.clone());
        let instance = host.instantiate_with(&giver, |linker| {
            Import::shared(State::table, move |_| Ok(context.clone()))
                .named("test:other/types")
                .add_to_linker(linker)
                .unwrap();
        });
        let give = instance.unwrap().get_typed_func(&mut host.store, "give").unwrap();
        let given = |guest: &mut Windowed, path: &str, mode: u32| {
            let host = guest.host();
            let (handle,): (Resource<MappingHandle>,) =
                host.call(&give, (path.to_owned(), mode)).unwrap();
            let mapping = host.store.data_mut().table().delete(handle).unwrap();
            guest.adopt(mapping);
        };
        assert_eq!(guest.map("f", READ_WRITE, 0), "ok");
        assert_eq!(guest.window(0, 0, UNIT, FREE, 0), "ok");
        // The same file by the other.
        given(&mut guest, "/data/f", READ_WRITE);
        for options in [0, POPULATE, SHARED] {
            assert_eq!(guest.window(1, 0, UNIT, 2 * FREE, options), "eacces");
            assert_eq!(guest.move_to(0, UNIT, UNIT, options), "eacces");
        }
        assert_eq!(guest.hash(FREE, UNIT), fnv(&pattern(UNIT as usize)), "it is as it was");
        // What is frozen needs no word.
        given(&mut guest, "/frozen", READ);
        assert_eq!(guest.window(1, 0, UNIT, 2 * FREE, 0), "ok");
        assert_eq!(guest.move_to(0, UNIT, UNIT, FROZEN), "ok");
        assert_eq!(
            guest.load(FREE),
            u64::from_le_bytes(
                pattern(2 * UNIT as usize)[UNIT as usize..][..8].try_into().unwrap()
            )
        );
        assert_eq!(guest.map("f", READ_WRITE, 0), "ok");
        assert_eq!(guest.move_to(1, 0, UNIT, SHARED), "ok");
        assert_eq!(other.counters().opened, 2);
    });
}

#[test]
fn limits_hold_windows_bytes_and_handles() {
    on_each_store(|scene| {
        scene.write("f", pattern(LENGTH as usize));
        let mut none = scene.windowed_with(&mut scene.grant());
        assert_eq!(none.map("f", READ, 0), "ok");
        assert_eq!(none.window(0, 0, UNIT, FREE, 0), "limit-exceeded");

        let mut context = scene.grant_windows();
        context.max_windows(2).max_window_bytes(3 * UNIT).max_handles(4);
        let mut guest = scene.windowed_with(&mut context);
        assert_eq!(guest.map("f", READ, 0), "ok");
        let at = |n: u64| FREE + n * 8 * UNIT;
        assert_eq!(guest.window(0, 0, 4 * UNIT, at(0), 0), "limit-exceeded");
        assert_eq!(guest.window(0, 0, 2 * UNIT, at(0), 0), "ok");
        assert_eq!(guest.window(1, 0, UNIT + 1, at(1), 0), "limit-exceeded");
        assert_eq!(guest.window(1, 0, UNIT, at(1), 0), "ok");
        assert_eq!(guest.window(2, 0, 1, at(2), 0), "limit-exceeded");
        assert_eq!(guest.move_to(1, 0, UNIT + 1, 0), "limit-exceeded");
        assert_eq!(guest.hash(at(1), UNIT), fnv(&pattern(UNIT as usize)), "it is as it was");
        let used = guest.usage().counters();
        assert_eq!((used.windows, used.window_bytes, used.handles), (2, 3 * UNIT, 3));
        // Closed windows leave room for others, and their handles count until they are dropped.
        assert_eq!((guest.close(0), guest.window(2, 0, 2 * UNIT, at(2), 0)), ("ok", "ok"));
        assert_eq!((guest.close(2), guest.window(3, 0, 1, at(3), 0)), ("ok", "limit-exceeded"));
        guest.release(0);
        assert_eq!(guest.window(3, 0, 1, at(3), 0), "ok");
    });
}

#[test]
fn stores_that_share_a_budget_share_their_windows() {
    on_each_store(|scene| {
        scene.write("f", pattern(LENGTH as usize));
        let mut limits = BudgetLimits::unlimited();
        limits.windows = 3;
        let budget = Budget::new(limits);
        let mut context = scene.grant_windows();
        context.budget(budget.clone());
        let mut guests = [scene.windowed_with(&mut context), scene.windowed_with(&mut context)];
        for guest in &mut guests {
            assert_eq!(guest.map("f", READ, 0), "ok");
            assert_eq!(guest.window(0, 0, UNIT, FREE, 0), "ok");
        }
        let [one, other] = &mut guests;
        assert_eq!(one.window(1, 0, UNIT, 2 * FREE, 0), "ok");
        assert_eq!(other.window(1, 0, UNIT, 2 * FREE, 0), "limit-exceeded");
        one.release(1);
        assert_eq!(other.window(1, 0, UNIT, 2 * FREE, 0), "ok");
        drop(guests);
        assert_eq!((budget.used().windows, budget.used().window_bytes), (0, 0));
    });
}

#[test]
fn a_mapping_that_has_not_kept_its_file_is_enotsup() {
    on_each_store(|scene| {
        scene.write("f", pattern(LENGTH as usize));
        let file = File::open(scene.path("f")).unwrap().into();
        let mut guest = scene.windowed();
        for (windows, expected) in [(0, "enotsup"), (1, "ok")] {
            let mut limits = Limits::default();
            limits.windows = windows;
            let mapping = Mapping::from_file(
                &file,
                "f",
                FsPerms::ReadOnly,
                &Usage::new(limits),
                &OpenOptions::new().read(true),
            );
            guest.adopt(MappingHandle::from(mapping.unwrap()));
            assert_eq!(guest.window(0, 0, UNIT, FREE, 0), expected);
        }
    });
}
