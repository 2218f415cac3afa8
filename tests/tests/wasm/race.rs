//! Guests in several threads, and another process that cuts their file and brings it back.

use std::env;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use iommap_tests::child::{DONE, in_child};
use iommap_tests::scene::{Kind, Scene, page, pattern};

/// In the environment of the process that cuts: the file.
const CUT: &str = "IOMMAP_TEST_CUT";

/// How often each guest is to meet a page that is gone, and how often one that is there.
const ENOUGH: u64 = 20;

/// How long to wait for that.
const PATIENCE: Duration = Duration::from_secs(120);

const PAGES: u64 = 8;

#[test]
fn answers_are_right_while_the_file_comes_and_goes() {
    in_child(|| {
        let length = PAGES * page();
        if let Some(file) = env::var_os(CUT) {
            return cut_and_bring_back(file.as_ref(), length);
        }
        let scene = Scene::new(Kind::Sync);
        let bytes = pattern(length as usize);
        scene.write("f", &bytes);
        let mut cutter = Command::new(env::current_exe().unwrap())
            .args(env::args_os().skip(1))
            .env(CUT, scene.path("f"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();

        let (over, content) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|threads| {
            let workers: Vec<_> = (0..4u64)
                .map(|seed| {
                    let (directory, bytes) = (scene.directory(), &bytes);
                    let (over, content) = (&over, &content);
                    threads.spawn(move || work(seed, directory, bytes, over, content))
                })
                .collect();
            let start = Instant::now();
            while content.load(Ordering::Relaxed) < workers.len() && start.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(10));
            }
            over.store(true, Ordering::Relaxed);
            // With its input gone it ends.
            let status = cutter.wait().unwrap();
            assert_eq!(status.code(), Some(DONE), "the process that cuts: {status}");
            for worker in workers {
                let (fine, faults) = worker.join().unwrap();
                let enough = fine >= ENOUGH && faults >= ENOUGH;
                assert!(enough, "{fine} calls went well, {faults} met a fault");
            }
        });
    });
}

/// Reads and writes until it is over. Every byte is the pattern's, or zero where the file has
/// just come back. Returns how many calls went well, and how many met a fault; `content` counts the
/// guests that have seen enough of both.
fn work(
    seed: u64,
    directory: &Path,
    bytes: &[u8],
    over: &AtomicBool,
    content: &AtomicUsize,
) -> (u64, u64) {
    let scene = Scene::new(Kind::ALL[seed as usize]);
    let mut builder = iommap::IommapCtx::builder();
    builder.preopened_dir(directory, "/data", iommap::FsPerms::ReadWrite).unwrap();
    let mut guest = scene.guest_with(&mut builder);
    let length = bytes.len() as u64;
    // While it is cut, it is mapped at the length that it then has: try again.
    loop {
        assert_eq!(guest.step("open m /data/f read-write"), "ok");
        if guest.step("position m") == format!("ok {length}") {
            break;
        }
        guest.play("drop m -> ok");
    }

    let (mut fine, mut faults, mut random) = (0, 0, Rng::with_seed(seed));
    let mut waiting = true;
    while !over.load(Ordering::Relaxed) {
        if waiting && fine >= ENOUGH && faults >= ENOUGH {
            content.fetch_add(1, Ordering::Relaxed);
            waiting = false;
        }
        let offset = random.u64(..length - 64);
        let expected = &bytes[offset as usize..][..64];
        let command = match random.u8(..16) {
            0..8 => format!("pread m {offset} 64"),
            8..11 => format!("pread-many m {offset}+32,{}+32", offset + 32),
            11..13 => format!("pread m 0 {length}"),
            _ => format!("pwrite m {offset} {}", iommap_tests::scene::shown(expected)),
        };
        let answer = guest.step(&command);
        match answer.strip_prefix("ok") {
            None => {
                assert_eq!(answer, "err sigbus", "{command}");
                faults += 1;
            }
            Some(rest) => {
                if let Some(digits) = rest.strip_prefix(" hex:") {
                    verify(digits, expected, &command);
                }
                fine += 1;
            }
        }
    }
    assert_eq!(guest.counters().faults_recovered, faults);
    (fine, faults)
}

fn verify(digits: &str, expected: &[u8], command: &str) {
    assert_eq!(digits.len(), 2 * expected.len(), "{command}");
    for (at, byte) in expected.iter().enumerate() {
        let read = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
        assert!(read == *byte || read == 0, "{command}: {read} at {at} instead of {byte}");
    }
}

fn cut_and_bring_back(file: &Path, length: u64) {
    let file = File::options().write(true).open(file).unwrap();
    let bytes = pattern(length as usize);
    let input = std::thread::spawn(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    while !input.is_finished() {
        for left in [0, 1, length / 2, length - 1] {
            file.set_len(left).unwrap();
            file.set_len(length).unwrap();
            file.write_all_at(&bytes, 0).unwrap();
        }
    }
}
