//! Locks on ranges of a file beside other processes: native programs, children, and a process without
//! `/proc`.
#![cfg(target_os = "linux")]

use crate::file_locks::{has, range, world};
use crate::support::*;
use iommap::LockMode::{Exclusive, Shared};
use iommap::Mapping;
use iommap_child::{Lock, Posix, is_free};
use std::fs::File;
use std::time::Duration;

#[test]
fn posix_locks_of_a_native_program_keep_out_and_are_kept_out() {
    in_child(|| {
        let world = world(9);
        let path = world.file("f", b"contents");
        let mut native = Posix::start(&path);
        let mapping = world.map("f", &READ_WRITE);
        for (theirs, ours, both) in [
            (Lock::Shared, Shared, true),
            (Lock::Shared, Exclusive, false),
            (Lock::Exclusive, Shared, false),
            (Lock::Exclusive, Exclusive, false),
        ] {
            assert!(native.set(100, 10, theirs));
            assert_eq!(has(&mapping, 105, 0, ours), both, "{theirs:?} {ours:?}");
            assert!(has(&mapping, 0, 100, ours));
            mapping.unlock(range(0, 0)).unwrap();
            assert!(native.set(0, 0, Lock::None));

            assert!(has(&mapping, 100, 10, ours));
            assert_eq!(native.set(105, 0, theirs), both, "{theirs:?} {ours:?}");
            assert!(native.set(0, 100, theirs));
            mapping.unlock(range(0, 0)).unwrap();
            assert!(native.set(105, 0, theirs));
            assert!(native.set(0, 0, Lock::None));
        }
        assert!(native.set(0, 0, Lock::Exclusive));
        assert!(!has(&mapping, 0, 1, Shared));
        native.kill();
        assert!(has(&mapping, 0, 1, Exclusive));
    });
}

#[test]
fn a_lock_goes_though_a_child_has_the_descriptor() {
    in_child(|| {
        let world = world(9);
        let path = world.file("f", b"contents");
        let mapping = world.map("f", &READ_WRITE);
        assert!(has(&mapping, 0, 0, Exclusive));
        // It has copies of all descriptors.
        let child = Posix::start(&path);
        let other = world.map("f", &READ_WRITE);
        assert!(!has(&other, 0, 0, Shared));
        drop(mapping);
        assert!(has(&other, 0, 0, Exclusive));
        child.kill();
    });
}

#[test]
fn a_forked_child_leaves_its_parent_the_locks() {
    in_child(|| {
        let world = world(9);
        world.file("f", b"contents");
        let [mapping, other] = [0; 2].map(|_| world.map("f", &READ_WRITE));
        assert!(has(&mapping, 0, 0, Exclusive));
        // SAFETY: this process has one thread that holds anything, and the child only drops what it has.
        let child = unsafe { libc::fork() };
        if child == 0 {
            drop(mapping);
            // SAFETY: it ends the child, without what the parent would do at its end.
            unsafe { libc::_exit(7) };
        }
        let mut status = 0;
        // SAFETY: a child of this process, and a number to write to.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7, "{status:x}");
        assert!(!has(&other, 0, 0, Shared), "the parent has it still");
        drop(mapping);
        assert!(has(&other, 0, 0, Shared));
    });
}

#[test]
fn a_killed_process_leaves_no_lock_behind() {
    const FILE: &str = "IOMMAP_TEST_LOCKED_FILE";
    let world = world(9);
    let path = world.file("f", b"contents");
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let mut was_locked = false;
    let prepare = |mut command: std::process::Command| {
        command.env(FILE, &path);
        command
    };
    let meanwhile = || was_locked |= !is_free(&file, 7, 1);
    let ended = iommap_child::in_child_while(prepare, meanwhile, || {
        let path = std::env::var_os(FILE).unwrap();
        let mapping = Mapping::options().read(true).write(true).open(path).unwrap();
        assert!(mapping.lock(range(0, 0), Exclusive, None).unwrap());
        // So long that whoever looks sees it.
        std::thread::sleep(Duration::from_millis(300));
        println!("locked");
        // SAFETY: it ends this process.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    });
    ended.assert_said_and_killed_by("locked", libc::SIGKILL);
    assert!(was_locked && is_free(&file, 0, 0));
    assert!(has(&world.map("f", &READ_WRITE), 0, 0, Exclusive));
}

#[test]
fn without_a_way_to_open_the_file_again_there_are_no_locks() {
    iommap_child::in_child_while(
        |mut command| {
            use std::os::unix::process::CommandExt;
            // SAFETY: it may be called there.
            unsafe {
                command.pre_exec(|| {
                    _ = iommap_child::own_mounts();
                    Ok(())
                });
            }
            command
        },
        || (),
        || {
            let world = world(9);
            world.file("f", b"contents");
            let mapping = world.map("f", &READ_WRITE);
            let (proc, tmpfs) = (c"/proc".as_ptr(), c"tmpfs".as_ptr());
            // SAFETY: strings, and null where mount(2) allows it.
            if unsafe { libc::mount(tmpfs, proc, tmpfs, 0, std::ptr::null()) } != 0 {
                return println!("skipped: nothing can be mounted");
            }
            let error = mapping.lock(range(0, 0), Shared, None).unwrap_err();
            assert_eq!(error, Enotsup);
            assert!(error.to_string().contains("can't be opened once more"), "{error}");
        },
    )
    .assert_done();
}
