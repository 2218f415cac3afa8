//! The sample `bell`: commands in processes of their own that wait for each other.
#![cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use iommap::Mapping;
use iommap_artifacts::guest;
use iommap_tests::Scene;
use iommap_tests::command_line::{iommap_run, said};
use iommap_tests::scene::Kind;

fn bell(scene: &Scene, options: &[&str], args: &[&str]) -> Command {
    iommap_run(scene.directory(), options, guest("bell"), args)
}

#[test]
fn a_bell_wakes_who_waits_in_another_process() {
    let scene = Scene::new(Kind::Sync);
    let wait = || {
        let mut run = bell(&scene, &["--limit", "waiters=1"], &["wait", "/data/bell", "600"]);
        run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    // By a component, which rings until it was heard. Who is about to wait again, as a guest does many times
    // a second, hears it without being woken; and who looked between the change and the notification is
    // woken for what it knew already.
    let mut waiting = wait();
    let mut rang = 0;
    while waiting.try_wait().unwrap().is_none() {
        rang += 1;
        let (code, out, err) = said(&bell(&scene, &[], &["ring", "/data/bell"]).output().unwrap());
        assert_eq!((code, &*err), (0, ""));
        let expected = |woken| format!("rang, {rang} times so far, and woke {woken}\n");
        assert!(out == expected(0) || out == expected(1), "{out}");
    }
    let (code, out, err) = said(&waiting.wait_with_output().unwrap());
    assert_eq!((code, &*err), (0, ""));
    assert!((1..=rang).any(|times| out == format!("it rang, {times} times so far\n")), "{out}");

    // And by a native program, while nothing else happens.
    let waiting = wait();
    let native = Mapping::options().read(true).write(true).open(scene.path("bell")).unwrap();
    while native.notify(0, 1) == Ok(0) {
        thread::sleep(Duration::from_millis(1));
    }
    // Woken for nothing it has looked, and waits again.
    native.store(0, 1000_u32).unwrap();
    native.notify(0, 1).unwrap();
    let (code, out, err) = said(&waiting.wait_with_output().unwrap());
    assert_eq!((code, &*out, &*err), (0, "it rang, 1000 times so far\n", ""));
}

#[test]
fn a_bell_that_may_not_wait_says_so() {
    let scene = Scene::new(Kind::Sync);
    let (code, out, err) = said(&bell(&scene, &[], &["wait", "/data/bell"]).output().unwrap());
    assert_eq!((code, &*out), (1, ""));
    assert!(err.contains("bell: cannot wait on the word at offset 0 of /data/bell: "), "{err}");
    let options = ["--limit", "waiters=1"];
    let mut run = bell(&scene, &options, &["wait", "/data/bell", "0"]);
    let (code, out, err) = said(&run.output().unwrap());
    assert_eq!((code, &*out, &*err), (1, "", "bell: it did not ring\n"));
}
