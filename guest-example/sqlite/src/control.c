// What SQLite and its users ask of a file beside reading and writing.

#include "file.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// A write-ahead log is refused before anything is changed, if the host has not what it takes.
static int pragma(file *file, char **words) {
    const char *name = words[1], *value = words[2];
    if (value == NULL) return SQLITE_NOTFOUND;
    if (sqlite3_stricmp(name, "locking_mode") == 0) {
        file->exclusive_mode = sqlite3_stricmp(value, "exclusive") == 0;
    }
    bool log = sqlite3_stricmp(name, "journal_mode") == 0 && sqlite3_stricmp(value, "wal") == 0;
    if (!log || file->exclusive_mode || shm_possible(file)) return SQLITE_NOTFOUND;
    words[0] = sqlite3_mprintf(
        "a write-ahead log takes windows that write (iommap run --limit windows=64 --limit "
        "window-bytes=1G --windows-on-changing-files --writable-windows), or PRAGMA "
        "locking_mode=exclusive first");
    return SQLITE_ERROR;
}

// What will be written is announced: one call instead of one for each page.
static int size_hint(file *file, sqlite3_int64 length) {
    if (file->shm == NULL) return SQLITE_OK;
    int code = file_refresh(file);
    if (code != SQLITE_OK || (uint64_t)length <= file->mapped) return code;
    mapped_status status = mapped_truncate(file->mapping, (uint64_t)length);
    if (status != MAPPED_OK) return SQLITE_OK; // The write itself will tell.
    file->mapped = file->length = (uint64_t)length;
    return SQLITE_OK;
}

static bool moved(const file *file) {
    struct stat here, named;
    return fstat(file->fd, &here) != 0 || stat(file->path, &named) != 0 ||
           here.st_ino != named.st_ino;
}

int file_control(sqlite3_file *base, int operation, void *argument) {
    file *file = (struct file *)base;
    switch (operation) {
    case SQLITE_FCNTL_LOCKSTATE: *(int *)argument = file->level; return SQLITE_OK;
    case SQLITE_FCNTL_SIZE_HINT: return size_hint(file, *(sqlite3_int64 *)argument);
    case SQLITE_FCNTL_MMAP_SIZE: return fetch_limit(file, argument);
    case SQLITE_FCNTL_HAS_MOVED: *(int *)argument = moved(file); return SQLITE_OK;
    case SQLITE_FCNTL_PRAGMA: return pragma(file, argument);
    case SQLITE_FCNTL_VFSNAME:
        *(char **)argument = sqlite3_mprintf("%s", "iommap");
        return SQLITE_OK;
    default: return SQLITE_NOTFOUND;
    }
}
