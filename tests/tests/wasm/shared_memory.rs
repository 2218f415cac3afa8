//! Memory that guests of several stores have in common, under a path, on every kind of store.

use iommap::{FsPerms, IommapCtx, SharedMemory};
use iommap_tests::scene::{Guest, Scene, assert_all_returned, on_each_store};

/// A guest with shared memory as `/shm`, and nothing else.
fn guest(scene: &Scene, memory: &SharedMemory, perms: FsPerms) -> Guest {
    let mut context = IommapCtx::builder();
    context.shared_memory("/shm", memory, perms).max_locks(9);
    scene.viewer(&mut context)
}

#[test]
fn stores_meet_in_memory_that_has_no_file() {
    on_each_store(|scene| {
        let memory = SharedMemory::with_regions(1 << 20, 2);
        let [mut one, mut other] = [(); 2].map(|()| guest(scene, &memory, FsPerms::ReadWrite));
        one.play(
            "
            open m /shm/queue read-write                     -> err enoent
            open m /shm/queue read-write create size=100000  -> ok
            pwrite m 70000 text:hello                        -> ok
            lock m 0 8 exclusive 0                           -> ok locked
            ",
        );
        other.play(
            "
            open n /shm/queue read-write create-new          -> err eexist
            open m /shm/queue read-write create size=9       -> ok
            position m                                       -> ok 100000
            pread m 70000 5                                  -> ok hex:68656c6c6f
            lock m 0 8 shared 0                              -> ok busy
            punch-hole m 65536 34464                         -> ok
            pread m 70000 5                                  -> ok hex:0000000000
            sync-all m                                       -> ok
            sync-entry m                                     -> err enotsup
            open n /shm/../etc/passwd read                   -> err eacces
            open n /shm read                                 -> err enotreg
            open n /data/f read                              -> err eacces
            open n /shm/other read-write create size=2000000 -> err limit-exceeded
            open n /shm/other read-write create              -> ok
            open o /shm/third read-write create              -> err limit-exceeded
            truncate n 1000000                               -> err limit-exceeded
            truncate m 10                                    -> ok
            truncate n 1000000                               -> ok
            ",
        );
        one.play("pread m 70000 5 -> err sigbus\nclose m -> ok");
        other.play("lock m 0 8 shared 0 -> ok locked");
        let mut reader = guest(scene, &memory, FsPerms::ReadOnly);
        reader.play(
            "
            open m /shm/queue read-write                     -> err eacces
            open m /shm/new read-write create                -> err eacces
            open m /shm/queue read                           -> ok
            pread m 0 2                                      -> ok hex:0000
            ",
        );
        // It outlives those who made it.
        let usages = [one.usage(), other.usage()];
        drop((one, other));
        usages.iter().for_each(|usage| assert_all_returned(usage));
        reader.play("open n /shm/other read -> ok\nposition n -> ok 1000000");
        drop(reader);
        assert_eq!(memory.names(), ["other", "queue"]);
        assert!(memory.remove("other") && memory.remove("queue"));
        assert_eq!(memory.used_bytes(), 0);
    });
}
