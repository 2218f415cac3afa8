//! The Rust guest crate, `iommap-guest`, through wasm: what it reads comes to lie in the caller's
//! buffer, whatever goes wrong, and whoever the host is.

use iommap_tests::child::in_child;
use iommap_tests::odd::{Odd, Step};
use iommap_tests::scene::{Host, Scene, on_each_store, page, pattern, shown};
use wasmtime::component::Component;

const COSTS_NOTHING: &str = "cost -> ok 0";

#[test]
fn reads_land_in_the_callers_buffer() {
    on_each_store(|scene| {
        let bytes = pattern(300_000);
        scene.write("f", &bytes);
        let mut guest = scene.rustic();
        guest.play("open m /data/f read -> ok");
        for offset in [0, 1, 4095, 99_999] {
            for length in [0, 1, 2, 7, 8, 63, 64, 65, 4096, 65_536, 200_001] {
                let expected = shown(&bytes[offset..][..length]);
                guest.play(&format!("pread m {offset} {length} -> ok {expected}"));
                // Neither an allocation nor a `realloc`: where else should the bytes have been?
                guest.play(COSTS_NOTHING);
                guest.play(&format!("read-at m {offset} {length} -> ok {length} {expected}"));
                guest.play(&format!("read-vec m {offset} {length} -> ok {expected}"));
                guest.play(if length > 0 { "cost -> ok 1" } else { COSTS_NOTHING });
            }
        }
    });
}

#[test]
fn a_read_across_the_end_is_short_or_refused() {
    on_each_store(|scene| {
        let bytes = pattern(10_000);
        scene.write("f", &bytes);
        scene.write("empty", "");
        let mut guest = scene.rustic();
        guest.play(&format!(
            "
            open m /data/f read                     -> ok
            read-at m 9990 20                       -> ok 10 {tail}
            cost                                    -> ok 0
            read-at m 9999 20                       -> ok 1 {last}
            read-at m 10000 20                      -> ok 0 hex:
            read-at m 10001 0                       -> ok 0 hex:
            read-at m 18446744073709551615 20       -> ok 0 hex:
            pread m 9990 20                         -> err out-of-bounds
            cost                                    -> ok 0
            pread m 18446744073709551615 20         -> err out-of-bounds
            read-vec m 9990 20                      -> err out-of-bounds
            read-vec m 9990 1000000                 -> err out-of-bounds
            read-vec m 0 18446744073709551615       -> err out-of-bounds
            pread-many m 0+3,9999+2                 -> err out-of-bounds
            pread-many m 0+18446744073709551615,1+1 -> err out-of-bounds
            read-into m 0+3,9998+2                  -> ok {three}{two}
            cost                                    -> ok 0
            open e /data/empty read                 -> ok
            read-at e 0 20                          -> ok 0 hex:
            read-end e 0                            -> ok hex:
            lines e 8                               -> ok 0
            ",
            tail = shown(&bytes[9990..]),
            last = shown(&bytes[9999..]),
            three = shown(&bytes[..3]),
            two = shown(&bytes[9998..]).replace("hex:", ""),
        ));
    });
}

#[test]
fn a_lost_page_leaves_the_buffer_the_callers() {
    in_child(|| {
        on_each_store(|scene| {
            let page = page();
            let bytes = pattern(4 * page as usize);
            scene.write("f", &bytes);
            let mut guest = scene.rustic();
            guest.play("open m /data/f read-write -> ok");
            for _ in 0..3 {
                scene.cut("f", page);
                for (offset, length) in [(page, 1), (0, 2 * page), (page - 1, 2), (page, 65)] {
                    guest.play(&format!("pread m {offset} {length} -> err sigbus"));
                    guest.play(COSTS_NOTHING);
                    guest.play(&format!("read-at m {offset} {length} -> err sigbus"));
                    guest.play(&format!("read-vec m {offset} {length} -> err sigbus"));
                }
                guest.play(&format!("read-into m 0+1,{page}+7 -> err sigbus"));
                guest.play(COSTS_NOTHING);
                guest.play("read-end m 0 -> bad UnexpectedEof: sigbus");
                // What is freed twice, or was freed while it was lent, would be seen here.
                guest.play(&format!("pread m 0 {page} -> ok {}", shown(&bytes[..page as usize])));
                scene.write("f", &bytes);
                guest.play(&format!("pread m 0 {} -> ok {}", 4 * page, shown(&bytes)));
            }
        });
    });
}

#[test]
fn more_than_a_call_may_move_takes_several() {
    on_each_store(|scene| {
        let mut bytes = pattern(100_000);
        scene.write("f", &bytes);
        let mut guest = scene.rustic_with(scene.grant().max_call_bytes(4000), |_| {});
        guest.play("open m /data/f read-write -> ok");
        for length in [3999, 4000, 4001, 99_999, 100_000] {
            let expected = shown(&bytes[..length]);
            guest.play(&format!("pread m 0 {length} -> ok {expected}"));
            guest.play(COSTS_NOTHING);
            guest.play(&format!("read-at m 0 {length} -> ok {length} {expected}"));
            guest.play(&format!("read-vec m 0 {length} -> ok {expected}"));
        }
        guest.play(&format!("read-end m 7 -> ok {}", shown(&bytes[7..])));
        // Nothing is written if not all of it can be.
        guest.play("pwrite m 1 fill:7:100000 -> err out-of-bounds");
        assert!(scene.read("f") == bytes);
        guest.play("pwrite m 1 fill:7:99999 -> ok");
        bytes[1..].fill(7);
        assert!(scene.read("f") == bytes);
        // A list of ranges is one call.
        guest.play("pread-many m 0+3990,0+11 -> err limit-exceeded");
        guest.play("read-into m 0+3990,0+11 -> err limit-exceeded");
    });
}

#[test]
fn cursors_do_what_std_says() {
    on_each_store(|scene| {
        scene.write("f", "one\ntwo\nthree");
        let mut guest = scene.rustic();
        guest.play(
            "
            open m /data/f read-write                       -> ok
            lines m 1                                       -> ok 3
            lines m 5                                       -> ok 3
            lines m 100000                                  -> ok 3
            read-end m 4                                    -> ok hex:74776f0a7468726565
            read-end m 13                                   -> ok hex:
            read-end m 18446744073709551615                 -> ok hex:
            write-end m text:more                           -> ok 0
            position m                                      -> ok 13
            append m \"text:\\nfour\"                       -> ok 5
            position m                                      -> ok 18
            lines m 3                                       -> ok 4
            sync m sync                                     -> ok
            open r /data/f read                             -> ok
            append r text:x                                 -> bad PermissionDenied: eacces
            open w /data/f write                            -> ok
            lines w 3                                       -> bad PermissionDenied: eacces
            close m                                         -> ok
            ",
        );
        assert_eq!(scene.read("f"), b"one\ntwo\nthree\nfour");
    });
}

#[test]
fn any_host_that_keeps_to_the_abi_gets_its_bytes_through() {
    use Step::{New, Resize};
    // What a host may do before it returns `length` bytes in the memory that it was given last.
    let length = 13;
    let stories: &[(&[Step], &str)] = &[
        (&[New(length)], "cost -> ok 0"),
        // Memory that is not the buffer: too small at first, or too large, or asked for twice.
        (&[New(length - 1), Resize(length)], "cost -> ok 2"),
        (&[New(length + 1), Resize(length)], "cost -> ok 2"),
        (&[New(length), New(length)], "cost -> ok 1"),
        // The buffer, made small and large again.
        (&[New(length), Resize(1), Resize(length)], "cost -> ok 0"),
        (&[New(length), Resize(length)], "cost -> ok 0"),
        // The buffer, left for memory that is larger for a while.
        (&[New(length), Resize(100), Resize(length)], "cost -> ok 2"),
    ];
    on_each_store(|scene| {
        scene.write("f", [b'x'; 4096]);
        for (steps, cost) in stories {
            let odd = Odd::returns_bytes(steps);
            let mut guest =
                scene.rustic_with(&mut scene.grant(), |linker| odd.replace_pread(linker));
            guest.play("open m /data/f read -> ok");
            let bytes = shown(&odd.bytes(length as usize));
            guest.play(&format!("pread m 0 {length} -> ok {bytes}"));
            guest.play(cost);
            guest.play(&format!("read-at m 5 {length} -> ok {length} {bytes}"));
            guest.play("position m -> ok 4096");
        }
    });
}

#[test]
fn a_host_that_returns_another_number_of_bytes_is_an_error() {
    use Step::{New, Resize};
    on_each_store(|scene| {
        scene.write("f", [b'x'; 4096]);
        let stories: [&[Step]; 4] =
            [&[New(12)], &[New(14)], &[New(13), Resize(12)], &[New(13), Resize(14)]];
        for steps in stories {
            let odd = Odd::returns_bytes(steps);
            let mut guest =
                scene.rustic_with(&mut scene.grant(), |linker| odd.replace_pread(linker));
            guest.play("open m /data/f read -> ok");
            let answer = guest.step("pread m 0 13");
            assert!(answer.starts_with("err other the host returned another number"), "{answer}");
            guest.play("position m -> ok 4096");
        }
    });
}

#[test]
fn an_error_with_words_leaves_the_buffer_the_callers() {
    use Step::{New, Resize};
    on_each_store(|scene| {
        scene.write("f", [b'x'; 4096]);
        // What a host may do before it asks for memory for the words.
        let stories: [&[Step]; 6] = [
            &[],
            &[New(13)],
            &[New(13), Resize(1)],
            &[New(13), Resize(1), Resize(13)],
            &[New(7)],
            &[New(13), Resize(50)],
        ];
        for before in stories {
            // As long as the buffer, and not; and none at all.
            for words in [Some("just thirteen"), Some("not as long"), Some(""), None] {
                let odd = Odd::fails(before, words);
                let mut guest =
                    scene.rustic_with(&mut scene.grant(), |linker| odd.replace_pread(linker));
                guest.play("open m /data/f read -> ok");
                let answer = match words {
                    Some(words) => format!("err other {words}"),
                    None => "err other".into(),
                };
                for command in ["pread m 0 13", "read-at m 0 13", "read-vec m 0 13"] {
                    assert_eq!(guest.step(command), answer, "{before:?}, {words:?}");
                }
                guest.play("position m -> ok 4096");
            }
        }
    });
}

#[test]
fn a_guest_without_std_and_loans_reads_and_writes() {
    on_each_store(|scene| {
        let bytes = pattern(100_000);
        scene.write("f", &bytes);
        let bare =
            Component::from_file(scene.kind().engine(), iommap_artifacts::guest("bare")).unwrap();
        let mut host = Host::new(scene.kind(), &mut scene.grant());
        let instance = host.instantiate(&bare).unwrap();
        type Bytes = Result<Vec<u8>, String>;
        type Done = Result<(), String>;
        let read = instance
            .get_typed_func::<(String, u64, u32), (Bytes,)>(&mut host.store, "read")
            .unwrap();
        let write = instance
            .get_typed_func::<(String, u64, Vec<u8>, u64), (Done,)>(&mut host.store, "write")
            .unwrap();
        let read = |host: &mut Host, name: &str, offset, length| {
            host.call(&read, (format!("/data/{name}"), offset, length)).unwrap().0
        };
        for (offset, length) in [(0, 0), (0, 1), (7, 65_536), (99_990, 100), (200_000, 10)] {
            let from = bytes.len().min(offset as usize);
            let to = bytes.len().min(from + length as usize);
            assert_eq!(read(&mut host, "f", offset, length).as_deref(), Ok(&bytes[from..to]));
        }
        assert_eq!(read(&mut host, "none", 0, 1), Err("enoent".into()));
        assert_eq!(read(&mut host, "../f", 0, 1), Err("eacces".into()));
        let done = host.call(&write, ("/data/g".into(), 3, b"abc".to_vec(), 8)).unwrap().0;
        assert_eq!((done, scene.read("g")), (Ok(()), b"\0\0\0abc\0\0".to_vec()));
        let done = host.call(&write, ("/data/g".into(), 6, b"abc".to_vec(), 8)).unwrap().0;
        assert_eq!(done, Err("out-of-bounds".into()));
    });
}

#[test]
fn the_same_commands_have_the_same_answers_natively() {
    in_child(|| {
        on_each_store(|scene| {
            let page = page();
            let elsewhere = Scene::new(scene.kind());
            for scene in [scene, &elsewhere] {
                scene.write("f", pattern(3 * page as usize));
                scene.write("g", pattern(100));
                std::fs::create_dir(scene.path("dir")).expect("a directory");
            }
            let mut guest = scene.rustic();
            let mut native = iommap_script::Script::new(|| 0);
            let there = elsewhere.directory().to_str().expect("a path in UTF-8");
            let mut both = |command: &str| {
                let answer = native.step(&command.replace("/data", there));
                assert_eq!(answer, guest.step(command), "{command}");
                answer
            };
            for command in SAME {
                both(command);
            }
            scene.cut("f", page + 10);
            elsewhere.cut("f", page + 10);
            for (offset, length) in
                [(0, page), (page, page), (page + 10, 5), (2 * page, 1), (2 * page - 1, 2)]
            {
                for name in ["b", "p"] {
                    both(&format!("pread {name} {offset} {length}"));
                    both(&format!("read-at {name} {offset} {length}"));
                }
            }
            // Between the file's end and that of its page nothing is promised.
            for (offset, length) in [(0, page), (page, 10), (2 * page, 1)] {
                both(&format!("pwrite b {offset} fill:9:{length}"));
                both(&format!("pread b 0 {}", page + 10));
            }
            assert_eq!(both(&format!("pread b {} 1", 2 * page)), "err sigbus");
            assert_eq!(both(&format!("truncate b {}", 3 * page)), "ok");
            both(&format!("pread b 0 {}", 3 * page));
            assert_eq!(scene.read("f").len() as u64, 3 * page);
            assert_eq!(scene.names(), ["dir", "f", "g", "new"]);
            assert_eq!(scene.names(), elsewhere.names());
            for name in ["f", "g", "new"] {
                assert!(scene.read(name) == elsewhere.read(name), "{name}");
            }
        });
    });
}

/// Commands whose answers depend on nothing but the interface.
const SAME: &[&str] = &[
    "open x /data/none read",
    "open x \"\" read",
    "open x /data/f none",
    "open x /data/dir read",
    "open x /data/f/x read",
    "open x \"/data/f\\0\" read",
    "open x /data/f read create",
    "open x /data/f read truncate",
    "open x /data/f read create-new",
    "open x /data/f read size=1000000",
    "open x /data/f write create-new",
    "open x /data/new read-write create-new size=5",
    "position x",
    "pread x 0 5",
    "pwrite x 1 text:abc",
    "pread x 0 5",
    "close x",
    "open x /data/new read-write truncate,create size=3",
    "pread x 0 3",
    "truncate x 10",
    "position x",
    "pread x 0 10",
    "drop x",
    "open r /data/f read size=7",
    "open r2 /data/g read private",
    "open w /data/g write",
    "open b /data/f read-write",
    "open p /data/f read-write private",
    "pread w 0 0",
    "pwrite r 0 hex:",
    "pwrite r2 0 text:x",
    "truncate r 5",
    "truncate p 5",
    "pread r 1 3000",
    "read-at r 12000 300",
    "pread r 12280 9",
    "pread-many b 0+5,100+0,3+9",
    "pread-many b 0+5,12288+1",
    "read-into b 5+5,0+3",
    "pwrite b 9 text:hello",
    "pwrite b 12285 text:hello",
    "pwrite-many b 0+2,2+3 text:abcde",
    "pwrite-many b 0+2,2+3 text:abcd",
    "pwrite-many b 0+2,12288+1 text:abc",
    "pread p 0 20",
    "pwrite p 3 text:PRIVATE",
    "pread p 0 20",
    "pread b 0 20",
    "append b text:end",
    "write-end b text:end",
    "position b",
    "truncate b 12288",
    "sync b sync",
    "sync r async",
    "sync-range b 12280 9 sync",
    "sync-range b 12280 8 sync",
    "advise b 0 0 sequential",
    "advise b 12288 0 random",
    "advise b 12289 0 random",
    "read-end r 12000",
    "lines b 100",
];
