// The locks on a database, in the bytes that SQLite's own files for Unix use: so native programs and
// components keep out of each other's way.

#include "file.h"

#include <string.h>

#define PENDING 0x40000000
#define RESERVED (PENDING + 1)
#define SHARED (PENDING + 2)
enum { SHARED_LENGTH = 510 };

static int try(file *file, uint64_t offset, uint64_t length, bool exclusive) {
    mapped_status status = mapped_lock(file->locks, offset, length, exclusive);
    if (status == MAPPED_OK) return SQLITE_OK;
    if (status == MAPPED_BUSY) return SQLITE_BUSY;
    return failed_with(SQLITE_IOERR_LOCK, "cannot lock", file->path, status);
}

static int release(file *file, uint64_t offset, uint64_t length) {
    mapped_status status = mapped_unlock(file->locks, offset, length);
    if (status == MAPPED_OK) return SQLITE_OK;
    return failed_with(SQLITE_IOERR_UNLOCK, "cannot unlock", file->path, status);
}

static int lock_shared(file *file) {
    // Who waits to write holds PENDING, and lets no new readers in. SQLite's own files take PENDING for a
    // moment. To look is enough, and less: one who takes it afterwards waits for one reader more.
    mapped_status status = mapped_would_lock(file->locks, PENDING, 1, false);
    if (status == MAPPED_BUSY) return SQLITE_BUSY;
    if (status != MAPPED_OK) return failed_with(SQLITE_IOERR_LOCK, "cannot lock", file->path, status);
    int code = try(file, SHARED, SHARED_LENGTH, false);
    if (code == SQLITE_OK) {
        file->level = SQLITE_LOCK_SHARED;
        file->hot = false;
    }
    return code;
}

static int lock_exclusive(file *file) {
    if (file->level < SQLITE_LOCK_PENDING) {
        int code = try(file, PENDING, 1, true);
        if (code != SQLITE_OK) return code;
        file->level = SQLITE_LOCK_PENDING;
    }
    int code = try(file, SHARED, SHARED_LENGTH, true);
    if (code == SQLITE_OK) file->level = SQLITE_LOCK_EXCLUSIVE;
    return code;
}

int file_lock(sqlite3_file *base, int level) {
    file *file = (struct file *)base;
    if (level <= file->level) return SQLITE_OK;
    int code = SQLITE_OK;
    if (file->level == SQLITE_LOCK_NONE) code = lock_shared(file);
    if (code == SQLITE_OK && level == SQLITE_LOCK_RESERVED) {
        code = try(file, RESERVED, 1, true);
        if (code == SQLITE_OK) file->level = SQLITE_LOCK_RESERVED;
    }
    if (code == SQLITE_OK && level == SQLITE_LOCK_EXCLUSIVE) code = lock_exclusive(file);
    lock_taken++;
    return code;
}

int file_unlock(sqlite3_file *base, int level) {
    file *file = (struct file *)base;
    if (level >= file->level) return SQLITE_OK;
    int code = file_trim(file);
    if (file->level > SQLITE_LOCK_SHARED) {
        // Nobody can be in the way of this, and SHARED is never let go of meanwhile.
        if (level == SQLITE_LOCK_SHARED && try(file, SHARED, SHARED_LENGTH, false) != SQLITE_OK) {
            return SQLITE_IOERR_RDLOCK;
        }
        if (release(file, PENDING, 2) != SQLITE_OK) return SQLITE_IOERR_UNLOCK;
        file->level = SQLITE_LOCK_SHARED;
    }
    if (level == SQLITE_LOCK_NONE) {
        if (release(file, SHARED, SHARED_LENGTH) != SQLITE_OK) code = SQLITE_IOERR_UNLOCK;
        file->level = SQLITE_LOCK_NONE;
    }
    return code;
}

int file_check_reserved(sqlite3_file *base, int *reserved) {
    file *file = (struct file *)base;
    // SQLite asks when it has found a journal: what a rollback brings back has had its version before.
    file->hot = true;
    memset(file->version, 0, VERSION_LENGTH);
    memset(file->without_log, 0, VERSION_LENGTH);
    *reserved = file->level > SQLITE_LOCK_SHARED;
    if (*reserved) return SQLITE_OK;
    mapped_status status = mapped_would_lock(file->locks, RESERVED, 1, false);
    *reserved = status == MAPPED_BUSY;
    if (status == MAPPED_OK || status == MAPPED_BUSY) return SQLITE_OK;
    return failed_with(SQLITE_IOERR_CHECKRESERVEDLOCK, "cannot look at the locks of", file->path,
                       status);
}
