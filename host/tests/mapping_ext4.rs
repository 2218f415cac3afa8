//! A full disk with a real file system: a small ext4 in a file, mounted where nobody else sees it.
//! Where the machine doesn't permit that, these tests say so.

mod support;

use iommap::{Error, FsPerms, Limits, OpenOptions, SyncMode};
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use support::{CREATE, READ_WRITE, World, all, bytes, page, pattern, this_program};
use tempfile::TempDir;

/// Where the file system is mounted, in the environment of the process that sees it.
const DISK: &str = "IOMMAP_TEST_EXT4";

const DONE: &str = "came to its end";

/// Runs a test of this name in a process with an ext4 of its own.
fn on_ext4(test: &str, body: impl FnOnce(&Path)) {
    if let Some(disk) = std::env::var_os(DISK) {
        body(disk.as_ref());
        println!("{DONE}");
        return;
    }
    let place = TempDir::new().unwrap();
    let (image, disk) = (place.path().join("image"), place.path().join("disk"));
    fs::File::create(&image).unwrap().set_len(24 << 20).unwrap();
    fs::create_dir(&disk).unwrap();
    let made = Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image).status();
    if !made.is_ok_and(|made| made.success()) {
        println!("skipped: no mkfs.ext4: {test}");
        return;
    }
    // The mount, and the loop device with it, goes with the last process that sees it.
    let mounted = |rest: &str| {
        let mut arguments: Vec<OsString> = vec!["--mount".into(), "sh".into(), "-c".into()];
        arguments.push(format!("mount -o loop \"$0\" \"$1\" && shift && {rest}").into());
        arguments.extend([image.clone().into(), disk.clone().into()]);
        let mut command = Command::new("unshare");
        command.args(arguments).env(DISK, &disk).stderr(Stdio::null());
        command
    };
    if !mounted("true").status().is_ok_and(|mounted| mounted.success()) {
        println!("skipped: an ext4 can't be mounted here: {test}");
        return;
    }
    let this = this_program();
    let output = mounted("exec \"$@\"")
        .arg(this.get_program())
        .args(this.get_args())
        .args(["--exact", test, "--nocapture"])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains(DONE),
        "{}\n{said}\n{complained}",
        output.status
    );
}

fn world(disk: &Path) -> World {
    World::at(disk, Limits::default(), FsPerms::ReadWrite)
}

/// Leaves no block free.
fn fill(world: &World) {
    let mut file = fs::File::create(world.path("filler")).unwrap();
    for length in [1 << 16, 4096, 512] {
        while file.write_all(&vec![1; length]).is_ok() {}
    }
    // What is not allocated yet, is now.
    let _ = file.sync_all();
    while file.write_all(&[1; 4096]).is_ok() {}
}

#[test]
fn given_a_full_ext4_when_a_mapping_grows_then_enospc_and_the_old_one_serves() {
    let test = "given_a_full_ext4_when_a_mapping_grows_then_enospc_and_the_old_one_serves";
    on_ext4(test, |disk| {
        let world = world(disk);
        let old = pattern(3 * page() + 5);
        world.file("f", &old);
        let mapping = world.map("f", &READ_WRITE);
        fill(&world);
        assert_eq!(mapping.truncate(200 * page()), Err(Error::NoSpc));
        assert_eq!(world.length("f"), old.len() as u64);
        assert_eq!(all(&mapping), old);
        mapping.pwrite(0, b"still").unwrap();
        mapping.sync(SyncMode::Sync).unwrap();
        assert_eq!(&world.contents("f")[..5], b"still");

        fs::remove_file(world.path("filler")).unwrap();
        mapping.truncate(200 * page()).unwrap();
        assert_eq!(bytes(&mapping, 5, old.len() as u64 - 5), old[5..]);
    });
}

#[test]
fn given_a_full_ext4_when_an_open_fails_then_no_file_stays_and_none_is_changed() {
    let test = "given_a_full_ext4_when_an_open_fails_then_no_file_stays_and_none_is_changed";
    on_ext4(test, |disk| {
        let world = world(disk);
        let old = pattern(2 * page());
        world.file("f", &old);
        fill(&world);
        let names = world.names();
        let size = Some(500 * page());
        let new = OpenOptions { size, ..CREATE };
        assert_eq!(world.refused("new", &new), Error::NoSpc);
        let grown = OpenOptions { size, ..READ_WRITE };
        assert_eq!(world.refused("f", &grown), Error::NoSpc);
        let emptied = OpenOptions { size, truncate: true, ..READ_WRITE };
        assert_eq!(world.refused("f", &emptied), Error::NoSpc);
        assert_eq!(world.names(), names);
        assert_eq!(world.contents("f"), old);
        world.assert_idle();
    });
}

#[test]
fn given_a_hole_on_a_full_ext4_when_written_then_sigbus_and_the_host_lives() {
    let test = "given_a_hole_on_a_full_ext4_when_written_then_sigbus_and_the_host_lives";
    on_ext4(test, |disk| {
        let world = world(disk);
        world.sparse("hole", 900 * page());
        let mapping = world.map("hole", &READ_WRITE);
        fill(&world);
        let faults = (0..900).filter(|n| match mapping.pwrite(n * page(), &[9; 100]) {
            Ok(()) => false,
            Err(Error::SigBus) => true,
            Err(error) => panic!("page {n}: {error}"),
        });
        let faults = faults.count() as u64;
        assert!(faults > 800, "{faults} faults");
        assert_eq!(world.account.counters().faults_recovered, faults);
        assert_eq!(bytes(&mapping, 899 * page(), 10), [0; 10]);

        fs::remove_file(world.path("filler")).unwrap();
        mapping.pwrite(899 * page(), &[9; 100]).unwrap();
        mapping.sync(SyncMode::Sync).unwrap();
    });
}

#[test]
fn given_a_size_granted_on_ext4_when_the_disk_fills_up_then_every_byte_can_be_written() {
    let test = "given_a_size_granted_on_ext4_when_the_disk_fills_up_then_every_byte_can_be_written";
    on_ext4(test, |disk| {
        let world = world(disk);
        let mapping = world.map("f", &OpenOptions { size: Some(500 * page()), ..CREATE });
        fill(&world);
        let data = pattern(500 * page());
        mapping.pwrite(0, &data).unwrap();
        mapping.sync(SyncMode::Sync).unwrap();
        assert_eq!(world.contents("f"), data);
        assert_eq!(world.account.counters().faults_recovered, 0);
    });
}
