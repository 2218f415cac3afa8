//! tinycdb as Debian has it, on our mmap(2): held to the same program as this machine's compiler makes
//! it, on the same files.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use super::WINDOWS;
use super::c_program::{Programs, Said, said};
use fastrand::Rng;
use iommap_tests::{Kind, Scene};

/// Records with keys of all lengths, and bytes of any value; some keys come more than once, and the
/// key `all` is in every tenth. As `cdb -c` reads them.
fn records(count: usize) -> (Vec<u8>, Vec<String>) {
    let mut random = Rng::with_seed(20_261_126);
    let (mut list, mut keys) = (Vec::new(), Vec::new());
    let mut add = |key: &str, random: &mut Rng| {
        let value: Vec<u8> = (0..random.usize(..300)).map(|_| random.u8(..)).collect();
        write!(list, "+{},{}:{key}->", key.len(), value.len()).unwrap();
        list.extend([&value[..], b"\n"].concat());
    };
    for k in 0..count {
        let key = format!("{}{}", random.u32(..count as u32), "k".repeat(random.usize(..40)));
        add(&key, &mut random);
        if k % 10 == 0 {
            add("all", &mut random);
        }
        keys.push(key);
    }
    list.push(b'\n');
    (list, keys)
}

/// How the host's note begins that calls were refused.
const REFUSED: &str = "iommap: note: ";

#[test]
fn tinycdb_unmodified_answers_as_it_does_natively() {
    let Some(programs) = Programs::find("tinycdb") else { return };
    let scene = Scene::new(Kind::Sync);
    let dir = scene.directory();
    let (list, keys) = records(20_000);
    scene.write("list", list);

    let nothing = (Some(0), Vec::new(), String::new());
    assert_eq!(said(&mut programs.guest(dir, &[], &["-c", "guest.cdb", "list"])), nothing);
    assert_eq!(said(&mut programs.native(dir, &["-c", "db", "list"])), nothing);
    assert!(scene.read("guest.cdb") == scene.read("db"));

    // On a host with windows, on one that trusts no file, and on one without any.
    for options in [&WINDOWS[..], &WINDOWS[..4], &[]] {
        let asked = |args: &[&str]| {
            let guest = said(&mut programs.guest(dir, options, args));
            let native = said(&mut programs.native(dir, args));
            assert!(guest.1 == native.1, "{options:?} {args:?}");
            // Where windows are refused, a run that fails has a note of the host's besides.
            let own = |said: &Said| -> Vec<String> {
                let lines = said.2.lines().filter(|line| !line.starts_with(REFUSED));
                lines.map(String::from).collect()
            };
            assert_eq!(own(&guest), own(&native), "{options:?} {args:?}");
            // 100 is that there is none: the C library's `exit` makes 1 of every failure.
            assert_eq!(guest.0 == Some(0), native.0 == Some(0), "{options:?} {args:?}");
            native
        };
        assert!(asked(&["-q", "-m", "db", "all"]).1.len() > 100_000);
        for key in keys.iter().step_by(2_000) {
            assert_eq!(asked(&["-q", "db", key]).0, Some(0));
            asked(&["-q", "-n", "2", "db", key]);
        }
        assert_eq!(asked(&["-q", "db", "no such key"]).0, Some(100));
    }
}

#[test]
fn a_database_cut_under_tinycdb_kills_it_natively_only() {
    let Some(programs) = Programs::find("tinycdb") else { return };
    let scene = Scene::new(Kind::Sync);
    let dir = scene.directory();
    let args = ["-q", "-m", "db", "all"];
    let (list, _) = records(60_000);
    scene.write("list", list);
    for (mut run, dies) in
        [(programs.native(dir, &args), true), (programs.guest(dir, &WINDOWS, &args), false)]
    {
        assert_eq!(said(&mut programs.native(dir, &["-c", "db", "list"])).0, Some(0));
        let whole = said(&mut programs.native(dir, &args)).1;
        let mut run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut from = run.stdout.take().unwrap();
        // It goes on when somebody reads on: there is more than a pipe holds.
        let mut out = vec![0; 1000];
        from.read_exact(&mut out).unwrap();
        scene.cut("db", fs::metadata(scene.path("db")).unwrap().len() / 3);
        from.read_to_end(&mut out).unwrap();
        let status = run.wait().unwrap();
        assert_eq!(status.signal(), dies.then_some(libc::SIGBUS), "{status}");
        // It can't know, so whoever has started it is told.
        assert_eq!(status.code(), (!dies).then_some(135), "{status}");
        assert!(out[..1000] == whole[..1000] && out.len() < whole.len());
    }
}
