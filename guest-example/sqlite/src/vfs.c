// The files by name: opening, deleting, and what else SQLite asks of its system.

#include "vfs.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char problem[512];

const char *mapped_vfs_problem(void) {
    return problem[0] != '\0' ? problem : NULL;
}

int failed_with(int code, const char *what, const char *path, mapped_status status) {
    const char *hint = "";
    bool locks = code == SQLITE_IOERR_LOCK || code == SQLITE_IOERR_SHMLOCK ||
                 code == SQLITE_IOERR_CHECKRESERVEDLOCK;
    if (locks && status == MAPPED_ENOTSUP) {
        hint = ": the host grants no locks (iommap run --limit locks=64), and without them the "
               "database may be nobody else's: file:NAME?nolock=1";
    }
    snprintf(problem, sizeof problem, "%s %s (%s)%s", what, path, mapped_name(status), hint);
    return code;
}

// As SQLite's own files for Unix have it: bytes beside those that are written stay, if the power fails.
static int sector_size(sqlite3_file *file) {
    (void)file;
    return 4096;
}

static int device(sqlite3_file *file) {
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_SUBPAGE_READ;
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 3,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = device,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
    .xFetch = file_fetch,
    .xUnfetch = file_unfetch,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                     int *flags_out) {
    (void)vfs;
    file *file = (struct file *)base;
    memset(file, 0, sizeof *file);
    file->fd = -1;
    // SQLite is built to have what is temporary in memory.
    if (name == NULL) return SQLITE_CANTOPEN;
    file->path = strdup(name);
    if (file->path == NULL) return SQLITE_NOMEM;
    file->writes = (flags & SQLITE_OPEN_READWRITE) != 0;
    unsigned how = file->writes ? MAPPED_WRITE : MAPPED_READ;
    if (flags & SQLITE_OPEN_CREATE) how |= MAPPED_CREATE;
    if (flags & SQLITE_OPEN_EXCLUSIVE) how |= MAPPED_EXCLUSIVE;
    mapped_status status = mapped_open(&file->mapping, name, how, 0, &file->mapped);
    bool refused = status == MAPPED_EACCES || status == MAPPED_BADARG;
    if (refused && file->writes && !(flags & SQLITE_OPEN_EXCLUSIVE)) {
        file->writes = false;
        flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
        status = mapped_open(&file->mapping, name, MAPPED_READ, 0, &file->mapped);
    }
    if (status != MAPPED_OK) {
        free(file->path);
        return failed_with(SQLITE_CANTOPEN, "cannot open", name, status);
    }
    file->fd = open(name, O_RDONLY);
    if (file->fd < 0) {
        mapped_close(&file->mapping);
        free(file->path);
        return failed_with(SQLITE_CANTOPEN, "cannot open by WASI", name, MAPPED_EACCES);
    }
    file->locks = file->mapping;
    file->length = file->mapped;
    file->looked = lock_taken - 1; // not yet
    file->database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    if (file->database) file_opened(file);
    file->log = (flags & SQLITE_OPEN_WAL) != 0;
    file->deletes = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    file->kept = (flags & SQLITE_OPEN_CREATE) && (flags & journals);
    if (flags_out != NULL) *flags_out = flags;
    base->pMethods = &METHODS;
    return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int sync) {
    (void)vfs;
    if (unlink(name) != 0) {
        return errno == ENOENT ? SQLITE_IOERR_DELETE_NOENT
                               : failed_with(SQLITE_IOERR_DELETE, "cannot delete", name, MAPPED_EIO);
    }
    return sync ? sync_directory(name) : SQLITE_OK;
}

static int may_access(sqlite3_vfs *vfs, const char *name, int what, int *may) {
    (void)vfs;
    // SQLite asks for a write-ahead log in each transaction that reads. Whoever makes one has said so in
    // the database's header before, which is a new version: in the same one there is none still.
    uint8_t version[VERSION_LENGTH];
    file *database = what == SQLITE_ACCESS_EXISTS ? file_of_log(name, version) : NULL;
    if (database != NULL && memcmp(version, database->without_log, VERSION_LENGTH) == 0) {
        *may = 0;
        return SQLITE_OK;
    }
    struct stat found;
    bool there = stat(name, &found) == 0;
    if (database != NULL && !there && errno == ENOENT) {
        memcpy(database->without_log, version, VERSION_LENGTH);
    }
    // Only a file with something in it is there, as far as SQLite is concerned.
    *may = there && (what != SQLITE_ACCESS_EXISTS || found.st_size > 0 || !S_ISREG(found.st_mode));
    return SQLITE_OK;
}

static int full_path(sqlite3_vfs *vfs, const char *name, int room, char *full) {
    (void)vfs;
    return snprintf(full, (size_t)room, "%s", name) < room ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int random_bytes(sqlite3_vfs *vfs, int count, char *bytes) {
    (void)vfs;
    arc4random_buf(bytes, (size_t)count);
    return count;
}

static int sleep_for(sqlite3_vfs *vfs, int microseconds) {
    (void)vfs;
    struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000L};
    nanosleep(&time, NULL);
    return microseconds;
}

static int milliseconds(sqlite3_vfs *vfs, sqlite3_int64 *now) {
    (void)vfs;
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    // Counted from the beginning of the Julian days.
    *now = 210866760000000 + (sqlite3_int64)time.tv_sec * 1000 + time.tv_nsec / 1000000;
    return SQLITE_OK;
}

static int days(sqlite3_vfs *vfs, double *now) {
    sqlite3_int64 exact;
    int code = milliseconds(vfs, &exact);
    *now = (double)exact / 86400000.0;
    return code;
}

static int last_error(sqlite3_vfs *vfs, int room, char *text) {
    (void)vfs;
    if (room > 0) snprintf(text, (size_t)room, "%s", problem);
    return 0;
}

int mapped_vfs_register(const char *unused) {
    (void)unused;
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .szOsFile = sizeof(file),
        .mxPathname = 4096,
        .zName = "iommap",
        .xOpen = open_file,
        .xDelete = delete_file,
        .xAccess = may_access,
        .xFullPathname = full_path,
        .xRandomness = random_bytes,
        .xSleep = sleep_for,
        .xCurrentTime = days,
        .xGetLastError = last_error,
        .xCurrentTimeInt64 = milliseconds,
    };
    plain_files_without_maps();
    return sqlite3_vfs_register(&vfs, 1);
}
