//! Names that somebody swaps while they are opened: whatever the moment, nothing outside the grant
//! is reached.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{FsPerms, Limits};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const SECRET: &[u8] = b"the secret";
const INSIDE: &[u8] = b"harmless";

/// How often each way is tried.
const OPENS: usize = 3000;

/// A grant, and beside it what nobody may reach.
fn beside_a_secret() -> (TempDir, World) {
    let parent = TempDir::new().unwrap();
    fs::create_dir(parent.path().join("outside")).unwrap();
    fs::write(parent.path().join("outside/f"), SECRET).unwrap();
    fs::create_dir_all(parent.path().join("in/d")).unwrap();
    fs::write(parent.path().join("in/d/f"), INSIDE).unwrap();
    let world = World::at(&parent.path().join("in"), Limits::default(), FsPerms::ReadWrite);
    (parent, world)
}

/// Makes `name` one thing and then another, for as long as the work takes. Both stand beside it
/// under the names `first` and `second` and are exchanged with it.
fn while_swapping(world: &World, name: &str, with: &[&str], work: impl FnOnce()) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let exchange = rustix::fs::RenameFlags::EXCHANGE;
            let here = rustix::fs::CWD;
            while !over.load(Ordering::Relaxed) {
                for other in with {
                    let (one, two) = (world.path(name), world.path(other));
                    rustix::fs::renameat_with(here, one, here, two, exchange).unwrap();
                }
            }
        });
        let _over = Over(&over);
        work();
    });
}

/// Tells a thread that the work is over, a panic included.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Opens a path again and again, in every way there is. Returns how often it led to the file.
fn hammer(world: &World, path: &str, outside: &Path) -> usize {
    let ways = [READ, READ_WRITE, PRIVATE, CREATE, TRUNCATE];
    let grown = CREATE.size(20);
    let mut reached = 0;
    for n in 0..OPENS {
        let options = ways.get(n % (ways.len() + 1)).unwrap_or(&grown);
        match world.open(path, options) {
            Ok(mapping) => {
                let found = all(&mapping);
                assert!(!found.starts_with(b"the"), "{path}: the secret, by {options:?}");
                reached += 1;
            }
            // A loop, a link to outside, or nothing there for a moment.
            Err(error) if [Eacces, Enoent, Eexist].contains(&error.kind()) => {}
            // Without openat2 the names are looked up one by one, and what was a link a moment ago
            // can't be read as one.
            Err(error) if error.errno() == Some(libc::EINVAL) => {}
            Err(error) => panic!("{path}: {error} by {options:?}"),
        }
    }
    assert_eq!(fs::read(outside.join("f")).unwrap(), SECRET, "{path}");
    assert_eq!(fs::read_dir(outside).unwrap().count(), 1, "{path}: made outside");
    reached
}

/// Opens a path until it led to the file at least once: on a busy machine the other thread may rest
/// for as long as all of the opens take, with the name swapped.
fn reach(world: &World, path: &str, outside: &Path) {
    assert!((0..1000).any(|_| hammer(world, path, outside) > 0), "{path}: never the file");
}

fn swap_everything() {
    let (parent, world) = beside_a_secret();
    let outside = parent.path().join("outside");

    // The last name: a file, or a link to the secret.
    symlink("../outside/f", world.path("to-secret")).unwrap();
    world.file("f", INSIDE);
    while_swapping(&world, "f", &["to-secret"], || {
        reach(&world, "f", &outside);
    });

    // A directory on the way: itself, a link to outside, an absolute one.
    symlink("../outside", world.path("to-outside")).unwrap();
    symlink(&outside, world.path("to-absolute")).unwrap();
    while_swapping(&world, "d", &["to-outside", "to-absolute"], || {
        reach(&world, "d/f", &outside);
    });

    // A link that points inside, or outside, or nowhere.
    fs::create_dir(world.path("e")).unwrap();
    world.file("e/f", INSIDE);
    symlink("e", world.path("link")).unwrap();
    symlink("nowhere", world.path("to-nowhere")).unwrap();
    symlink("../outside", world.path("out-again")).unwrap();
    while_swapping(&world, "link", &["out-again", "to-nowhere"], || {
        reach(&world, "link/f", &outside);
    });
    world.assert_idle();
}

#[test]
fn swapped_names_never_lead_outside() {
    in_child(|| {
        swap_everything();
    });
}

#[test]
fn swapped_names_never_lead_outside_without_openat2() {
    in_child(|| {
        without_openat2(libc::ENOSYS);
        swap_everything();
    });
}

#[test]
fn a_directory_moved_out_of_the_grant_leads_nowhere() {
    in_child(|| {
        let (parent, world) = beside_a_secret();
        let outside = parent.path().join("outside");
        fs::create_dir(world.path("d/deep")).unwrap();
        let moved = parent.path().join("moved");
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    fs::rename(world.path("d"), &moved).unwrap();
                    fs::rename(&moved, world.path("d")).unwrap();
                }
            });
            let _over = Over(&over);
            // Out of the grant, `d/..` would be the directory that `outside` is in.
            hammer(&world, "d/deep/../../outside/f", &outside);
        });
    });
}
