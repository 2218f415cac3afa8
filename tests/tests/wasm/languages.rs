//! The sample guests in C, JavaScript and Python, as people start them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Output;

use crate::samples::WINDOWS;
use iommap_artifacts::guest;
use iommap_tests::command_line::iommap_run;
use iommap_tests::languages::{C, JAVASCRIPT, PYTHON};
use iommap_tests::{Kind, Scene};

fn scene() -> Scene {
    Scene::new(Kind::Sync)
}

/// Runs a guest with the scene's directory as its `/data`: its exit code and what it wrote.
#[track_caller]
fn run(scene: &Scene, guest: &str, args: &[&str]) -> (i32, String, String) {
    run_with(scene, &[], guest, args)
}

/// The same with options for the host.
#[track_caller]
fn run_with(scene: &Scene, options: &[&str], guest: &str, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        iommap_run(scene.directory(), options, guest, args).output().unwrap();
    // A sample prints the bytes of a file as they are, text or not.
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (out, err) = (text(stdout), text(stderr));
    (status.code().unwrap_or_else(|| panic!("{status}: {err}")), out, err)
}

/// Lines of every kind: long ones, ones that are cut in the middle of a character, control
/// characters, bytes that are no text, and no line break at the end.
fn text() -> Vec<u8> {
    let mut text = b"a needle at the start\nnothing\n\n".to_vec();
    for n in 0..300 {
        text.extend(format!("line {n}: {}\n", ["hay", "Needle", "żółć 🦀"][n % 3]).bytes());
    }
    text.extend(b"\x1b[2Jneedle\x00\xff\xe2\x82 \xc2\x9b\xe2\x80\xae\r\n");
    for lead in [510, 511, 512, 513, 2000] {
        text.extend("ż".repeat(lead).bytes());
        text.extend(b"needle");
        text.extend("ó".repeat(lead).bytes());
        text.push(b'\n');
    }
    text.extend(b"needleneedle and another needle\nthe last needle");
    text
}

#[test]
fn search_in_c_finds_what_search_in_rust_finds() {
    let Some(search) = C.sample() else { return };
    let scene = scene();
    scene.write("log", text());
    scene.write("empty", "");
    for args in [
        "needle /data/log",
        "-i needle /data/log /data/empty",
        "-n needle /data/log",
        "-in -m 7 needle /data/log",
        "-c -i NEEDLE /data/log /data/empty",
        "-m 0 needle /data/log",
        "--window 1 needle /data/log",
        "--window 7 -in needle /data/log",
        "--window 700 needle /data/log",
        "-- -x /data/log",
        "missing /data/log",
        "needle /data/none /data/log",
        "needle /data",
        "needle /etc/passwd",
        "--colour needle /data/log",
        "needle",
    ] {
        let args: Vec<_> = args.split(' ').collect();
        let (code, out, err) = run(&scene, search, &args);
        let (rust_code, rust_out, _) = run(&scene, guest("search"), &args);
        assert_eq!((code, out), (rust_code, rust_out), "{args:?}: {err}");
    }
    let (code, out, err) = run(&scene, search, &["-q", "needle", "/data/none"]);
    assert_eq!((code, &*out), (3, ""));
    assert!(err.contains("/data/none: there is no such file") && err.contains("enoent"), "{err}");
    let (_, _, err) = run(&scene, search, &["a needle", "/data/log"]);
    assert!(err.starts_with("search: 1 match in 1 line, "), "{err}");
}

#[test]
fn search_in_c_finds_the_same_through_windows() {
    let Some(search) = C.sample() else { return };
    let scene = scene();
    // Longer than what is worth a window, and than a window.
    scene.write("log", text().repeat(1 + (3 << 20) / text().len()));
    for args in
        ["needle", "-i -n needle", "-c --window 100000 needle", "--window 65536 ż", "missing"]
    {
        let args: Vec<_> = args.split(' ').chain(["/data/log"]).collect();
        let (code, out, err) = run_with(&scene, &WINDOWS, search, &args);
        let (rust_code, rust_out, _) = run(&scene, guest("search"), &args);
        assert!((code, &out) == (rust_code, &rust_out), "{args:?}: {err}");
        // What it counts is what it has searched.
        assert_eq!(err, run(&scene, search, &args).2, "{args:?}");
    }
}

#[test]
fn logs_in_javascript_sums_up_a_log() {
    let Some(logs) = JAVASCRIPT.sample() else { return };
    let scene = scene();
    let mut log = String::from("2026-11-24T09:00:00Z INFO  server: listening on 127.0.0.1:80\n");
    for n in 0..40_000 {
        log += &format!("2026-11-24T09:00:{:02}Z WARN  db: query {n} took {n}.5 ms\n", n % 60);
    }
    log += "2026-11-24T10:00:00.25Z [error] żółć: connection 0x7ff0 lost\n  at no time\nno break";
    assert!(log.len() > 1 << 20, "more than a window");
    scene.write("log", &log);
    scene.write("empty", "");
    let (code, out, err) = run(&scene, logs, &["/data/log", "/data/empty"]);
    let expected = format!(
        "/data/log: 40004 lines, {} bytes
  from 2026-11-24T09:00:00Z to 2026-11-24T10:00:00.25Z
  ERROR 1, WARN 40000, INFO 1
  40000 × db: query # took # ms
      1 × server: listening on #:#
      1 × żółć: connection # lost
      1 × at no time
      1 × no break
/data/empty: 0 lines, 0 bytes
",
        log.len()
    );
    assert_eq!((code, out), (0, expected), "{err}");

    let (code, out, err) = run(&scene, logs, &["--json", "--top", "1", "/data/log"]);
    let expected = format!(
        "{{\"file\":\"/data/log\",\"bytes\":{},\"lines\":40004,\"untimed\":2,\
         \"first\":\"2026-11-24T09:00:00Z\",\"last\":\"2026-11-24T10:00:00.25Z\",\
         \"levels\":{{\"ERROR\":1,\"WARN\":40000,\"INFO\":1}},\
         \"messages\":[{{\"count\":40000,\"message\":\"db: query # took # ms\"}}]}}\n",
        log.len()
    );
    assert_eq!((code, out), (0, expected), "{err}");

    let (code, out, err) = run(&scene, logs, &["/data/none", "/data/empty"]);
    assert_eq!((code, &*out), (3, "/data/empty: 0 lines, 0 bytes\n"));
    assert!(err.contains("/data/none: there is no such file") && err.contains("(enoent)"), "{err}");
    for args in [&["--top", "many", "/data/log"][..], &["--colour"], &[]] {
        let (code, out, err) = run(&scene, logs, args);
        assert_eq!((code, &*out), (3, ""), "{args:?}");
        assert!(err.contains("--help says how it is used"), "{err}");
    }
}

#[test]
fn records_in_python_are_read_as_written() {
    let Some(records) = PYTHON.sample() else { return };
    let scene = scene();
    let (code, out, err) = run(&scene, records, &["/data/r", "--make", "70000"]);
    assert_eq!((code, &*out), (0, "/data/r: 70000 records\n"), "{err}");
    let bytes = scene.read("r");
    assert_eq!(bytes.len(), 16 + 70_000 * 16);
    assert_eq!(bytes[..16], *b"RDGS\x01\0\0\0\x70\x11\x01\0\0\0\0\0");

    let (code, out, err) = run(&scene, records, &["/data/r"]);
    assert_eq!(code, 0, "{err}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[0], "/data/r: 70000 records of 8 sensors");
    assert_eq!(lines[1], "  from 2026-01-01T00:00:00.000+00:00 to 2026-01-01T19:26:39.000+00:00");
    assert!(lines[2].starts_with("  sensor 0: 8750 readings, 15.00 to 25.00, "), "{out}");
    assert_eq!(lines.len(), 2 + 8);

    // The last record, read here: eight bytes of time, four of sensor, four of value.
    let last = &bytes[bytes.len() - 16..];
    let value = f32::from_le_bytes(last[12..].try_into().unwrap());
    let (code, out, err) = run(&scene, records, &["/data/r", "--get", "69999,0"]);
    let expected = format!(
        "69999: 2026-01-01T19:26:39.000+00:00 sensor 7: {value:.3}\n\
         0: 2026-01-01T00:00:00.000+00:00 sensor 0: 20.000\n"
    );
    assert_eq!((code, out), (0, expected), "{err}");

    let (code, out, err) = run(&scene, records, &["/data/r", "--at", "2026-01-01T12:00"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("43200: 2026-01-01T12:00:00.000+00:00 sensor 0: "), "{out}");

    scene.write("cut", &bytes[..100]);
    scene.write("other", "something else, which is long enough");
    for (args, code, words) in [
        (&["/data/r", "--at", "2027-01-01"][..], 1, "no record at or after 2027"),
        (&["/data/r", "--get", "1,70000"], 1, "there is no record 70000"),
        (&["/data/r", "--make", "1"], 3, "the file exists already (eexist)"),
        (&["/data/none"], 3, "there is no such file"),
        (&["/data/cut"], 3, "70000 records don't make 100 bytes"),
        (&["/data/other"], 3, "it begins with b'some'"),
        (&["/data/r", "--get", "x"], 3, "'x' is not a number"),
        (&[], 3, "the following arguments are required: FILE"),
    ] {
        let (found, out, err) = run(&scene, records, args);
        assert_eq!((found, &*out), (code, ""), "{args:?}: {err}");
        assert!(err.contains(words), "{args:?}: {err}");
    }
    assert_eq!(scene.read("r"), bytes);
}

#[test]
fn records_in_python_behind_2_gib_are_read() {
    let Some(records) = PYTHON.sample() else { return };
    let scene = scene();
    let (code, _, err) = run(&scene, records, &["/data/r", "--make", "8"]);
    assert_eq!(code, 0, "{err}");
    let bytes = scene.read("r");
    // The same last record, a long way behind a hole.
    let count: u64 = 200_000_000;
    let file = File::create(scene.path("far")).unwrap();
    file.write_all_at(&bytes[..8], 0).unwrap();
    file.write_all_at(&count.to_le_bytes(), 8).unwrap();
    file.write_all_at(&bytes[bytes.len() - 16..], count * 16).unwrap();

    let (code, expected, err) = run(&scene, records, &["/data/r", "--get", "7"]);
    assert_eq!(code, 0, "{err}");
    let (code, out, err) = run(&scene, records, &["/data/far", "--get", "199999999"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(out, expected.replace("7: 2026", "199999999: 2026"));
}
