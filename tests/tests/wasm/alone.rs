//! A mapping that only its guest has is used without its lock; one that others have too, with it.
//! Nobody sees the difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use iommap::{AccessMode, FsPerms, Grants, Mapping, MappingHandle, OpenOptions};
use iommap_tests::scene::{assert_all_returned, on_each_store};
use iommap_tests::wat::{FREE, HONEST, RESULT};

/// More than a processor copies at once, so that half of it could be seen.
const LENGTH: usize = 4096;

/// How often the guest reads what another writes: the guest has no room to note more.
const READS: usize = 50;

/// How often that is written at most, so that a test that fails ends.
const WRITES: usize = 100_000;

#[test]
fn a_guest_never_reads_half_of_a_write_through_its_mapping() {
    on_each_store(|scene| {
        scene.write("f", vec![0; LENGTH]);
        let mut guest = scene.hostile(HONEST);
        let account = guest.host().account();
        let mut grants = Grants::default();
        grants.preopened_dir(scene.directory(), "/data", FsPerms::ReadWrite).unwrap();
        let options = OpenOptions::new(AccessMode::ReadWrite);
        let mapping = Arc::new(Mapping::open(&grants, &account, "/data/f", &options).unwrap());
        guest.adopt(MappingHandle::from(mapping.clone())).unwrap();
        guest.list(&[(0, LENGTH as u64)]).unwrap();

        let over = AtomicBool::new(false);
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut written = 0u64;
                for byte in (0..=u8::MAX).cycle().take(WRITES) {
                    mapping.pwrite(0, &[byte; LENGTH]).unwrap();
                    written += LENGTH as u64;
                    // The lock is not a fair one: without a pause no reader might ever get it.
                    std::thread::sleep(Duration::from_micros(50));
                    if over.load(Relaxed) {
                        break;
                    }
                }
                written
            });
            for read in 0..READS {
                let result = match read % 2 {
                    0 => guest.pread(0, LENGTH as u64, RESULT),
                    _ => guest.pread_many(FREE, 1, RESULT),
                };
                assert_eq!(result.unwrap(), "ok");
                let start = guest.peek(RESULT + 4).unwrap();
                let first = guest.peek(start).unwrap() as u8;
                guest.assert_result(RESULT, &[first; LENGTH]);
            }
            over.store(true, Relaxed);
            writer.join().unwrap()
        });

        // From here on the guest has it alone.
        drop(mapping);
        assert_eq!(guest.pwrite(8, FREE, 16).unwrap(), "ok");
        assert_eq!(guest.pwrite_many(FREE, 1, 0, LENGTH as u32).unwrap(), "ok");
        assert_eq!(guest.pread(8, 16, RESULT).unwrap(), "ok");
        let counters = account.counters();
        assert_eq!(counters.bytes_read, (READS * LENGTH + 16) as u64);
        assert_eq!(counters.bytes_written, written + 16 + LENGTH as u64);
        assert_eq!(guest.close().unwrap(), "ok");
        assert_eq!(guest.pread(0, 1, RESULT).unwrap(), "closed");
        assert_eq!(guest.pwrite(0, FREE, 1).unwrap(), "closed");
        drop(guest);
        assert_all_returned(&account);
    });
}

#[test]
fn a_guest_is_told_that_others_closed_its_mapping() {
    on_each_store(|scene| {
        scene.write("f", vec![1; LENGTH]);
        let mut guest = scene.hostile(HONEST);
        let account = guest.host().account();
        let mut grants = Grants::default();
        grants.preopened_dir(scene.directory(), "/data", FsPerms::ReadOnly).unwrap();
        let options = OpenOptions::new(AccessMode::Read);
        let mapping = Arc::new(Mapping::open(&grants, &account, "/data/f", &options).unwrap());
        guest.adopt(MappingHandle::from(mapping.clone())).unwrap();
        guest.list(&[(0, 8)]).unwrap();

        assert_eq!(guest.pread(0, 8, RESULT).unwrap(), "ok");
        assert_eq!(guest.pwrite(0, FREE, 8).unwrap(), "eacces");
        mapping.close().unwrap();
        drop(mapping);
        assert_eq!(guest.pread(0, 8, RESULT).unwrap(), "closed");
        assert_eq!(guest.pread_many(FREE, 1, RESULT).unwrap(), "closed");
        assert_eq!(guest.pwrite(0, FREE, 8).unwrap(), "closed");
        assert_eq!(account.counters().bytes_read, 8);
    });
}
