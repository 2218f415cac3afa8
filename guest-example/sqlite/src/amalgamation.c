// SQLite itself, as it is published: `source/` says which, and how it is fetched.

// A component has one thread.
#define SQLITE_THREADSAFE 0
#define SQLITE_OMIT_LOAD_EXTENSION 1
// Nothing is kept in temporary files: a component need not have a directory for them.
#define SQLITE_TEMP_STORE 3
#define SQLITE_STMTJRNL_SPILL (-1)
// `file:/data/db?nolock=1`, where nobody else uses the database and the host grants no locks.
#define SQLITE_USE_URI 1
#define SQLITE_DQS 0
#define SQLITE_ENABLE_FTS5 1
#define SQLITE_ENABLE_RTREE 1
#define SQLITE_ENABLE_DBSTAT_VTAB 1
// Pages of the database are read where they lie, where the host has windows: by `xFetch`.
#define SQLITE_MAX_MMAP_SIZE 0x40000000
#define SQLITE_DEFAULT_MMAP_SIZE 0x40000000
// Makes our files the default, at the end of SQLite's own initialisation. Its own for Unix stays, for
// comparison: `?vfs=unix-none` is plain files of WASI.
#define SQLITE_EXTRA_INIT mapped_vfs_register

#pragma clang diagnostic ignored "-Wunused-parameter"
#pragma clang diagnostic ignored "-Wunused-function"
#pragma clang diagnostic ignored "-Wunused-variable"
#pragma clang diagnostic ignored "-Wunused-but-set-variable"
#pragma clang diagnostic ignored "-Wsign-compare"
#pragma clang diagnostic ignored "-Wextra"

// WASI has no maps, and SQLite leaves their header out, but not all that uses its names.
#define PROT_READ 1
#define MAP_SHARED 1
#define MAP_FAILED ((void *)-1)

#include "sqlite3.c"

static void *no_map(void *place, size_t length, int access, int flags, int fd, off_t offset) {
    (void)place, (void)length, (void)access, (void)flags, (void)fd, (void)offset;
    return MAP_FAILED;
}

// A map that fails, and not none, is what SQLite's files for Unix know how to do without.
void plain_files_without_maps(void) {
    sqlite3_vfs *plain = sqlite3_vfs_find("unix-none");
    plain->xSetSystemCall(plain, "mmap", (sqlite3_syscall_ptr)no_map);
}
