//! In runtimes that can't be changed: the store's data has a type that is the runtime's, with a table
//! in it, and what extends the runtime is a plugin that it reaches by an `Arc`.

mod runtime;

use std::sync::Arc;

use iommap::{AsyncOptions, FsPerms, Import, IommapCtx};
use iommap_artifacts::guest;
use iommap_tests::scene::{assert_all_returned, cache};
use runtime::{Ctx, Runtime, Workload};
use tempfile::TempDir;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};

/// The plugin: which workload may map what.
struct Files {
    options: AsyncOptions,
    contexts: Vec<(&'static str, Arc<IommapCtx>)>,
}

impl Files {
    fn context(&self, workload: &str) -> Option<Arc<IommapCtx>> {
        self.contexts.iter().find(|(name, _)| *name == workload).map(|(_, ctx)| ctx.clone())
    }
}

impl runtime::Plugin for Files {
    fn id(&self) -> &'static str {
        "files"
    }

    fn bind(&self, linker: &mut Linker<Ctx>) -> wasmtime::Result<()> {
        let find = |ctx: &mut Ctx| {
            let context =
                ctx.plugin::<Files>("files").and_then(|files| files.context(&ctx.workload));
            context.ok_or_else(|| wasmtime::format_err!("{} may map nothing", ctx.workload))
        };
        Import::shared(|ctx: &mut Ctx| &mut ctx.table, find)
            .with_wasi(|ctx| &mut ctx.table)
            .with_open_files(|ctx| &mut ctx.table)
            .with_windows()
            .with_locks()
            .with_storage()
            .with_changes()
            .with_atomics()
            .add_to_linker_async(linker, self.options)
    }
}

/// A directory with the file `f`, and a context that grants it as `/data` for four mappings, for
/// windows and for three locks.
fn granted(text: &str) -> (TempDir, Arc<IommapCtx>) {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("f"), text).unwrap();
    let mut builder = IommapCtx::builder();
    builder.preopened_dir(dir.path(), "/data", FsPerms::ReadWrite).unwrap().max_mappings(4);
    builder.max_windows(4).max_window_bytes(1 << 20).max_locks(3);
    (dir, Arc::new(builder.build()))
}

async fn play(workload: &mut Workload, transcript: &str) {
    for line in transcript.lines().filter(|line| !line.trim().is_empty()) {
        let (command, expected) = line.split_once("->").unwrap();
        assert_eq!(workload.step(command.trim()).await.unwrap(), expected.trim(), "{command}");
    }
}

#[test]
fn a_runtime_of_others_is_served_by_a_plugin_behind_an_arc() {
    let mut offload = AsyncOptions::default();
    offload.offload_above = Some(1);
    for options in [AsyncOptions::default(), offload] {
        let (_a, one) = granted("one");
        let (_b, two) = granted("two");
        let contexts = vec![("one", one.clone()), ("two", two.clone())];
        let runtime = Runtime::new(Arc::new(Files { options, contexts })).unwrap();
        let driver = runtime.load(guest("driver")).unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let mut first = runtime.start("one", &driver).await.unwrap();
            let mut second = runtime.start("two", &driver).await.unwrap();
            play(&mut second, "open m /data/f read -> ok").await;
            play(
                &mut first,
                "
                open m /data/f read-write   -> ok
                pwrite m 0 text:O           -> ok
                pread m 0 3                 -> ok hex:4f6e65
                pread-many m 0+1,2+1        -> ok hex:4f65
                sync m sync                 -> ok
                truncate m 4                -> ok
                position m                  -> ok 4
                open x /elsewhere/f read    -> err eacces
                ",
            )
            .await;
            play(&mut second, "pread m 0 3 -> ok hex:74776f").await;

            // Stores of one workload are held to one limit.
            let mut third = runtime.start("one", &driver).await.unwrap();
            for name in ["a", "b", "c"] {
                let opened = third.step(&format!("open {name} /data/f read")).await.unwrap();
                assert_eq!(opened, "ok");
            }
            play(&mut third, "open d /data/f read -> err limit-exceeded").await;
            play(&mut first, "close m -> ok").await;
            play(&mut third, "open d /data/f read -> ok").await;
            let counters = one.counters();
            assert_eq!((counters.mappings, counters.bytes_read, counters.bytes_written), (4, 5, 1));
            assert_eq!(two.counters().bytes_read, 3);
            assert_eq!(one.counters().refused, 2);

            // One that the plugin knows nothing of does no harm to others.
            let mut stranger = runtime.start("three", &driver).await.unwrap();
            let trap = stranger.step("open m /data/f read").await.unwrap_err();
            assert!(format!("{trap:#}").contains("three may map nothing"), "{trap:#}");
            play(&mut second, "pread m 2 1 -> ok hex:6f").await;
        });
        for ctx in [one, two] {
            assert_all_returned(ctx.usage());
        }
    }
}

#[test]
fn a_shared_context_maps_open_files_and_locks_without_windows() {
    let mut offload = AsyncOptions::default();
    offload.offload_above = Some(1);
    for options in [AsyncOptions::default(), offload] {
        let (dir, ctx) = granted("hello");
        let files = Files { options, contexts: vec![("w", ctx.clone())] };
        let runtime = Runtime::new(Arc::new(files)).unwrap();
        let viewer = runtime.load(guest("viewer")).unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let mut workload = runtime.start_in("w", &viewer, dir.path()).await.unwrap();
            play(
                &mut workload,
                "
                file f /data/f read         -> ok
                map-open m f read-write     -> err eacces
                map-open m f read           -> ok
                pread m 0 5                 -> ok hex:68656c6c6f
                window w m 1 5 -            -> err out-of-bounds
                window w m 0 5 -            -> err enotsup
                window w m 0 5 frozen       -> err enotsup
                pread m 1 1                 -> ok hex:65
                lock m 0 1 shared 0         -> ok locked
                lock m 2 1 shared 0         -> ok locked
                lock m 4 1 shared 0         -> ok locked
                lock m 6 1 shared 0         -> err limit-exceeded
                ",
            )
            .await;
            let counters = ctx.counters();
            assert_eq!((counters.mappings, counters.windows, counters.locks), (1, 0, 3));

            // Nor does the search for an open file go without the plugin's word.
            let mut stranger = runtime.start_in("three", &viewer, dir.path()).await.unwrap();
            play(&mut stranger, "file f /data/f read -> ok").await;
            let trap = stranger.step("map-open m f read").await.unwrap_err();
            assert!(format!("{trap:#}").contains("three may map nothing"), "{trap:#}");
        });
        assert_all_returned(ctx.usage());
    }
}

/// Asks for a lock, and then gives back all that it has.
async fn wants(workload: &mut Workload, lock: &str) -> String {
    let answer = workload.step(lock).await.unwrap();
    play(workload, "unlock m 0 0 -> ok").await;
    answer
}

#[test]
fn stores_of_one_context_that_wait_for_each_other_are_told() {
    let (_dir, ctx) = granted("0123456789");
    let files = Files { options: AsyncOptions::default(), contexts: vec![("w", ctx.clone())] };
    let runtime = Runtime::new(Arc::new(files)).unwrap();
    let driver = runtime.load(guest("driver")).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut one = runtime.start("w", &driver).await.unwrap();
        let mut other = runtime.start("w", &driver).await.unwrap();
        // By one mapping and by another: a store is one, however many it has.
        play(
            &mut one,
            "
            open m /data/f read-write       -> ok
            open n /data/f read-write       -> ok
            lock n 0 1 exclusive 0          -> ok locked
            lock m 0 1 exclusive -          -> ok deadlock
            close n                         -> ok
            lock m 0 1 exclusive 0          -> ok locked
            ",
        )
        .await;
        let second = "open m /data/f read-write -> ok\nlock m 1 1 exclusive 0 -> ok locked";
        play(&mut other, second).await;
        let (one, other) = tokio::join!(
            wants(&mut one, "lock m 1 1 exclusive -"),
            wants(&mut other, "lock m 0 1 exclusive -"),
        );
        let mut answers = [one, other];
        answers.sort();
        assert_eq!(answers, ["ok deadlock", "ok locked"]);
    });
    assert_all_returned(ctx.usage());
}

#[test]
fn what_stores_of_one_context_move_at_once_is_counted_exactly() {
    let (_dir, ctx) = granted("0123456789");
    let files = Files { options: AsyncOptions::default(), contexts: vec![("w", ctx.clone())] };
    let runtime = Runtime::new(Arc::new(files)).unwrap();
    let driver = runtime.load(guest("driver")).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                tokio::runtime::Runtime::new().unwrap().block_on(async {
                    let mut workload = runtime.start("w", &driver).await.unwrap();
                    play(&mut workload, "open m /data/f read -> ok").await;
                    for _ in 0..300 {
                        play(&mut workload, "pread m 3 7 -> ok hex:33343536373839").await;
                    }
                });
            });
        }
    });
    assert_eq!(ctx.counters().bytes_read, 3 * 300 * 7);
    assert_eq!(ctx.counters().opened, 3);
}

/// A component that imports the interface as `geo` and as `words`, opens `/f` by each, and returns
/// the first byte that it reads there, or 1000 and the error's number.
fn two_imports() -> Vec<u8> {
    let (_, types) = iommap_wat::MMAP.split_once("interface types {").unwrap();
    let (types, _) = types.split_once("\n}\n").unwrap();
    let wit = format!(
        "package iommap:test;
         world two {{
             import geo: interface {{ {types} }}
             import words: interface {{ {types} }}
             export geo-byte: func() -> u32;
             export words-byte: func() -> u32;
         }}"
    );
    let import = |name: &str| {
        format!(
            r#"(import "{name}" "[static]mapping.open"
                 (func $open-{name} (param i32 i32 i32 i32 i32 i64 i32)))
               (import "{name}" "[method]mapping.pread"
                 (func $pread-{name} (param i32 i64 i64 i32)))"#
        )
    };
    let byte = |name: &str| {
        format!(
            r#"(func (export "{name}-byte") (result i32)
                 (call $open-{name} (i32.const 16) (i32.const 2) (i32.const 0) (i32.const 0)
                   (i32.const 0) (i64.const 0) (i32.const 64))
                 (if (i32.load8_u (i32.const 64))
                   (then (return (i32.add (i32.const 1000) (i32.load8_u (i32.const 68))))))
                 (call $pread-{name} (i32.load (i32.const 68)) (i64.const 0) (i64.const 1)
                   (i32.const 96))
                 (if (i32.load8_u (i32.const 96))
                   (then (return (i32.add (i32.const 1000) (i32.load8_u (i32.const 100))))))
                 (i32.load8_u (i32.load (i32.const 100))))"#
        )
    };
    let module = format!(
        r#"(module {} {}
             (memory (export "memory") 1)
             (data (i32.const 16) "/f")
             (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
             {} {})"#,
        import("geo"),
        import("words"),
        byte("geo"),
        byte("words"),
    );
    iommap_wat::component(&[&wit], "iommap:test/two", &module).unwrap()
}

#[test]
fn each_import_under_a_name_has_a_grant_of_its_own() {
    let dir = |text: &str| {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("f"), text).unwrap();
        dir
    };
    let (geo, words) = (dir("g"), dir("w"));
    let engine = Engine::new(Config::new().cache(Some(cache()))).unwrap();
    let component = Component::new(&engine, two_imports()).unwrap();
    let context = |dir: &TempDir, mappings| {
        let mut builder = IommapCtx::builder();
        builder.preopened_dir(dir.path(), "/", FsPerms::ReadOnly).unwrap();
        Arc::new(builder.max_mappings(mappings).build())
    };

    let mut linker = Linker::<ResourceTable>::new(&engine);
    let (of_geo, of_words) = (context(&geo, 1), context(&words, 2));
    for (name, ctx) in [("geo", of_geo.clone()), ("words", of_words.clone())] {
        Import::shared(|table: &mut ResourceTable| table, move |_| Ok(ctx.clone()))
            .named(name)
            .add_to_linker(&mut linker)
            .unwrap();
    }
    let mut store = Store::new(&engine, ResourceTable::new());
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let mut byte = |name: &str| {
        let function = instance.get_typed_func::<(), (u32,)>(&mut store, name).unwrap();
        function.call(&mut store, ()).unwrap().0
    };
    let (g, w) = (u32::from(b'g'), u32::from(b'w'));
    assert_eq!((byte("words-byte"), byte("geo-byte")), (w, g));
    // And limits of its own: the former mappings are still open.
    let codes = iommap_wat::error_codes().unwrap();
    let refused = byte("geo-byte").checked_sub(1000).expect("an error");
    assert_eq!(codes[refused as usize], "limit-exceeded");
    assert_eq!(byte("words-byte"), w);
    assert_eq!((of_geo.counters().mappings, of_words.counters().mappings), (1, 2));
    drop(store);
    assert_all_returned(of_geo.usage());
    assert_all_returned(of_words.usage());
}
