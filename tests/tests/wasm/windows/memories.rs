//! Whose memory it is: that of whoever makes the call, and of nobody else.

use iommap_tests::child::in_child;
use iommap_tests::on_each_store;
use iommap_tests::scene::{Host, Kind, Scene, assert_all_returned, pattern};
use iommap_tests::windows::ranges_over;
use wasmtime::component::{Component, Instance};

/// One more than the number of `enotsup`, beside what tells an error from a handle.
const ENOTSUP: u32 = 1000 + 13;

/// The guest of `memories.wat`.
struct Guest {
    host: Host,
    instance: Instance,
    mapping: u32,
}

fn component(kind: Kind) -> Component {
    let codes = iommap_wat::error_codes().unwrap();
    let (other, codes) = codes.split_last().unwrap();
    let cases: String = codes.iter().map(|code| format!("(case \"{code}\") ")).collect();
    let error = format!("variant {cases}(case \"{other}\" (option string))");
    let mut text = include_str!("memories.wat")
        .replace("(ERROR)", &format!("({error})"))
        .replace("(MODE)", r#"(enum "read" "write" "read-write")"#)
        .replace(
            "(OPTIONS)",
            r#"(flags "shared" "private" "lock" "populate" "nocache" "create" "truncate" "exclusive")"#,
        )
        .replace("(FLAGS)", r#"(flags "shared" "populate" "frozen")"#)
        .replace(
            "(REGION)",
            r#"(record (field "address" u64) (field "length" u64) (field "token" u64))"#,
        );
    let open = r#"(func (param "source" (borrow $m)) (param "offset" u64) (param "length" u64)
        (param "place" $r) (param "options" $f) (result (result (own $w) (error $e))))"#;
    // Inside of the components it is the type of something that has a name already.
    text = text.replace("(type (OPEN $m $w $e $r $f))", &open["(func ".len()..open.len() - 1]);
    text = text.replace("(OPEN $m $w $e $r $f)", open);
    Component::new(kind.engine(), text).expect("a component")
}

impl Guest {
    fn new(scene: &Scene) -> Guest {
        let mut host = Host::new(scene.kind(), &mut scene.grant_windows());
        let instance = host.instantiate(&component(scene.kind())).expect("an instance");
        let mut guest = Guest { host, instance, mapping: 0 };
        let map = guest.instance.get_typed_func::<(), (u32,)>(&mut guest.host.store, "map");
        (guest.mapping,) = guest.host.call(&map.unwrap(), ()).unwrap();
        assert!(guest.mapping < 1000, "{}", guest.mapping);
        guest
    }

    fn open(&mut self, way: u32, at: u32) -> u32 {
        let open = self.instance.get_typed_func(&mut self.host.store, "open").unwrap();
        let (handle,) = self.host.call(&open, (way, self.mapping, at)).unwrap();
        handle
    }

    fn load(&mut self, whose: &str, at: u32) -> u64 {
        let load = self.instance.get_typed_func(&mut self.host.store, whose).unwrap();
        let (word,) = self.host.call(&load, (at,)).unwrap();
        word
    }

    fn drop(&mut self, window: u32) {
        let drop = self.instance.get_typed_func::<_, ()>(&mut self.host.store, "drop").unwrap();
        self.host.call(&drop, (window,)).unwrap();
    }
}

fn first_word() -> u64 {
    u64::from_le_bytes(pattern(8).try_into().unwrap())
}

#[test]
fn of_two_memories_each_call_has_its_own() {
    on_each_store(|scene| {
        scene.write("f", pattern(1 << 17));
        let mut guest = Guest::new(scene);
        let first = guest.open(0, 1 << 20);
        assert!(first < 1000, "{first}");
        assert_eq!(guest.load("load-first", 1 << 20), first_word());
        assert_eq!(guest.load("load-second", 1 << 20), 0);
        let second = guest.open(1, 2 << 20);
        assert!(second < 1000, "{second}");
        assert_eq!(guest.load("load-second", 2 << 20), first_word());
        assert_eq!(guest.load("load-first", 2 << 20), 0);
        // At the address of the other's.
        let third = guest.open(1, 1 << 20);
        assert_eq!(guest.load("load-second", 1 << 20), first_word());
        guest.drop(first);
        assert_eq!(guest.load("load-first", 1 << 20), 0);
        assert_eq!(guest.load("load-second", 1 << 20), first_word());
        guest.drop(second);
        guest.drop(third);
        assert_eq!(guest.load("load-second", 1 << 20), 0);
        let usage = guest.host.usage();
        assert_eq!(usage.counters().windows, 0);
    });
}

#[test]
fn a_guest_behind_another_component_gets_no_window() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(1 << 17));
            let mut guest = Guest::new(scene);
            assert_eq!(guest.open(2, 1 << 20), ENOTSUP);
            for whose in ["load-first", "load-second", "load-between"] {
                assert_eq!(guest.load(whose, 1 << 20), 0, "nothing was put anywhere");
            }
            assert_eq!(ranges_over("/f"), 1, "that of the mapping");
            let direct = guest.open(0, 1 << 20);
            assert!(direct < 1000, "{direct}");
            assert_eq!(guest.load("load-between", 1 << 20), 0);
            let usage = guest.host.usage();
            drop(guest);
            assert_all_returned(&usage);
            assert_eq!(ranges_over("/f"), 0);
        });
    });
}
