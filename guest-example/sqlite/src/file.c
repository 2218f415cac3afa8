// Reading, writing and the length of a file.

#include "file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

unsigned lock_taken;

// A file that grows gets so much more at least, so that not every page is a call, and at most.
enum { GROWTH_LEAST = 64 << 10, GROWTH_MOST = 1 << 20 };

int file_look(file *file) {
    struct stat now;
    if (fstat(file->fd, &now) != 0) {
        return failed_with(SQLITE_IOERR_FSTAT, "cannot look at", file->path, MAPPED_EIO);
    }
    // In what we have allocated of a log others may have written meanwhile. It is full of zeros where
    // nobody has, and they are no frames.
    if (file->log) file->length = file->mapped;
    if ((uint64_t)now.st_size == file->mapped) {
        file->looked = lock_taken;
        return SQLITE_OK;
    }

    mapped_handle mapping = 0;
    uint64_t mapped;
    mapped_status status =
        mapped_open(&mapping, file->path, file->writes ? MAPPED_WRITE : MAPPED_READ, 0, &mapped);
    if (status != MAPPED_OK) return failed_with(SQLITE_IOERR, "cannot map", file->path, status);
    struct stat named;
    if (stat(file->path, &named) != 0 || named.st_ino != now.st_ino) {
        mapped_close(&mapping);
        return failed_with(SQLITE_READONLY_DBMOVED, "another file has its name now", file->path,
                           MAPPED_ENOENT);
    }
    // The first one stays, for the locks that it holds.
    if (file->mapping != file->locks) mapped_close(&file->mapping);
    file->mapping = mapping;
    file->mapped = file->length = mapped;
    file->looked = lock_taken;
    return SQLITE_OK;
}

int file_refresh(file *file) {
    return file->looked == lock_taken ? SQLITE_OK : file_look(file);
}

int file_trim(file *file) {
    if (file->length == file->mapped || file->log) return SQLITE_OK;
    mapped_status status = mapped_truncate(file->mapping, file->length);
    if (status != MAPPED_OK) {
        return failed_with(SQLITE_IOERR_TRUNCATE, "cannot cut", file->path, status);
    }
    file->mapped = file->length;
    return SQLITE_OK;
}

static file *databases;

void file_opened(file *database) {
    database->next_database = databases;
    databases = database;
}

int file_close(sqlite3_file *base) {
    file *file = (struct file *)base;
    int code = file_trim(file);
    for (struct file **place = &databases; *place != NULL; place = &(*place)->next_database) {
        if (*place != file) continue;
        *place = file->next_database;
        break;
    }
    shm_unmap(base, 0);
    window_close(&file->window);
    if (file->locks != file->mapping) mapped_close(&file->locks);
    mapped_close(&file->mapping);
    if (file->fd >= 0) close(file->fd);
    if (file->deletes) unlink(file->path);
    free(file->path);
    return code;
}

// From the window, where there is one, and otherwise by a call.
static mapped_status read_bytes(const file *file, uint64_t from, void *to, size_t wanted) {
    if (file->window.data != NULL && from + wanted <= file->window.length) {
        memcpy(to, file->window.data + from, wanted);
        if (window_check(&file->window) == MAPPED_OK) return MAPPED_OK;
    }
    return mapped_read(file->mapping, from, to, wanted);
}

int file_read(sqlite3_file *base, void *to, int amount, sqlite3_int64 offset) {
    file *file = (struct file *)base;
    uint64_t from = (uint64_t)offset;
    size_t wanted = (size_t)amount;
    mapped_status status = MAPPED_OUT_OF_BOUNDS;
    if (from + wanted <= file->length) status = read_bytes(file, from, to, wanted);
    if (status == MAPPED_OK) return SQLITE_OK;
    if (status != MAPPED_OUT_OF_BOUNDS && status != MAPPED_SIGBUS) {
        return failed_with(SQLITE_IOERR_READ, "cannot read", file->path, status);
    }
    // Others have changed its length, or it ends here.
    if (file->length == file->mapped || file->log) {
        int code = file_look(file);
        if (code != SQLITE_OK) return code;
    }
    size_t there = from >= file->length ? 0 : (size_t)(file->length - from);
    if (there > wanted) there = wanted;
    if (there > 0) {
        status = mapped_read(file->mapping, from, to, there);
        if (status != MAPPED_OK) {
            return failed_with(SQLITE_IOERR_READ, "cannot read", file->path, status);
        }
    }
    if (there == wanted) return SQLITE_OK;
    memset((char *)to + there, 0, wanted - there);
    return SQLITE_IOERR_SHORT_READ;
}

static int write_failed(const file *file, mapped_status status) {
    bool full = status == MAPPED_ENOSPC || status == MAPPED_EFBIG || status == MAPPED_LIMIT_EXCEEDED;
    return failed_with(full ? SQLITE_FULL : SQLITE_IOERR_WRITE, "cannot write", file->path, status);
}

// Makes room up to `end`. The file is ours, and so long as `mapped`.
static mapped_status grow(file *file, uint64_t end) {
    uint64_t more = file->mapped / 8;
    if (more < GROWTH_LEAST) more = GROWTH_LEAST;
    if (more > GROWTH_MOST) more = GROWTH_MOST;
    // While a checkpoint writes to the database others have it too: it gets no more than it asks for.
    if (file->shm != NULL) more = 0;
    uint64_t room = file->mapped + more < end ? end : file->mapped + more;
    mapped_status status = mapped_truncate(file->mapping, room);
    if (status != MAPPED_OK && room != end) {
        room = end;
        status = mapped_truncate(file->mapping, room);
    }
    if (status == MAPPED_OK) file->mapped = room;
    return status;
}

int file_write(sqlite3_file *base, const void *from, int amount, sqlite3_int64 offset) {
    file *file = (struct file *)base;
    int code = file_refresh(file);
    if (code != SQLITE_OK) return code;
    uint64_t end = (uint64_t)offset + (uint64_t)amount;
    mapped_status status = MAPPED_OK;
    if (end > file->mapped) status = grow(file, end);
    if (status == MAPPED_OK) {
        status = mapped_write(file->mapping, (uint64_t)offset, from, (size_t)amount);
    }
    if (status != MAPPED_OK) return write_failed(file, status);
    if (end > file->length) file->length = end;
    return SQLITE_OK;
}

int file_truncate(sqlite3_file *base, sqlite3_int64 length) {
    file *file = (struct file *)base;
    int code = file_refresh(file);
    if (code != SQLITE_OK) return code;
    mapped_status status = mapped_truncate(file->mapping, (uint64_t)length);
    if (status != MAPPED_OK) {
        return failed_with(SQLITE_IOERR_TRUNCATE, "cannot cut", file->path, status);
    }
    file->mapped = file->length = (uint64_t)length;
    return SQLITE_OK;
}

int file_sync(sqlite3_file *base, int flags) {
    (void)flags; // Data alone, or also what else is known of the file: both come with `sync`.
    file *file = (struct file *)base;
    int code = file_trim(file);
    if (code != SQLITE_OK) return code;
    mapped_status status = mapped_sync(file->mapping);
    if (status != MAPPED_OK) {
        return failed_with(SQLITE_IOERR_FSYNC, "cannot bring to the device", file->path, status);
    }
    if (file->kept) {
        file->kept = false;
        return sync_directory(file->path);
    }
    return SQLITE_OK;
}

// What a database with a rollback journal says of itself. Whoever changes it counts that in its header
// before others may read it, so that a database of the same version has the same length: SQLite itself
// keeps its pages by that. The count alone is not enough: a copy that was changed elsewhere, and written over
// it, may have counted as far. Not so while a transaction may be rolled back, ours or one whose journal is
// there: its version may be one that comes again with another length. Nor in a write-ahead log's mode, by
// the two bytes before.
static bool read_version(const file *file, uint8_t version[VERSION_LENGTH]) {
    if (!file->database || file->hot || file->level != SQLITE_LOCK_SHARED) return false;
    if (file->length < VERSION_OFFSET + VERSION_LENGTH) return false;
    if (read_bytes(file, VERSION_OFFSET, version, VERSION_LENGTH) != MAPPED_OK) return false;
    return version[VERSION_JOURNAL] == 1 && version[VERSION_JOURNAL + 1] == 1;
}

int file_size(sqlite3_file *base, sqlite3_int64 *length) {
    file *file = (struct file *)base;
    uint8_t now[VERSION_LENGTH];
    bool versioned = read_version(file, now);
    int code = SQLITE_OK;
    if (!versioned || memcmp(now, file->version, VERSION_LENGTH) != 0) {
        code = file_refresh(file);
        if (code != SQLITE_OK || !read_version(file, file->version)) {
            memset(file->version, 0, VERSION_LENGTH);
        }
    }
    *length = (sqlite3_int64)file->length;
    return code;
}

file *file_of_log(const char *log, uint8_t version[VERSION_LENGTH]) {
    static const char END[] = "-wal";
    for (file *file = databases; file != NULL; file = file->next_database) {
        size_t length = strlen(file->path);
        if (strncmp(log, file->path, length) != 0 || strcmp(log + length, END) != 0) continue;
        if (read_version(file, version)) return file;
    }
    return NULL;
}
