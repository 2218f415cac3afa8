// Pages of the database where they lie: a window from the file's beginning on, as long as the limit of
// `PRAGMA mmap_size` allows. Without windows SQLite reads by `file_read`.

#include "file.h"

// A new window has room to grow.
enum { ROOM_LEAST = 4 << 20 };

// Shows as much of the file as there may be. Whatever comes of it, SQLite can read without.
static void show(file *file) {
    uint64_t length = file->length < file->window_limit ? file->length : file->window_limit;
    if (length == 0 || length == file->window.length) return;
    if (file->window.data != NULL && length > file->window.room) window_close(&file->window);
    uint64_t room = length + length / 2 < ROOM_LEAST ? ROOM_LEAST : length + length / 2;
    if (room > file->window_limit) room = file->window_limit;
    mapped_status status =
        window_show(&file->window, file->mapping, 0, (size_t)length, (size_t)room, false);
    if (status != MAPPED_OK) {
        // It stays without, until the program sets a limit again.
        window_close(&file->window);
        file->window_limit = 0;
    }
}

int file_fetch(sqlite3_file *base, sqlite3_int64 offset, int amount, void **place) {
    file *file = (struct file *)base;
    *place = NULL;
    if (file->window_limit == 0) return SQLITE_OK;
    uint64_t end = (uint64_t)offset + (uint64_t)amount;
    if (end > file->length) return SQLITE_OK;
    bool lost = file->window.data != NULL && window_check(&file->window) != MAPPED_OK;
    if (lost && file->fetched > 0) {
        return failed_with(SQLITE_IOERR_MMAP, "was cut while it was read", file->path, MAPPED_SIGBUS);
    }
    if (file->fetched == 0 && (lost || end > file->window.length)) {
        if (lost) window_close(&file->window);
        show(file);
    }
    if (file->window.data == NULL || end > file->window.length) return SQLITE_OK;
    file->fetched++;
    *place = file->window.data + offset;
    return SQLITE_OK;
}

int file_unfetch(sqlite3_file *base, sqlite3_int64 offset, void *place) {
    (void)offset;
    // Without a place it says that others have changed the file. The pages are those of the file, and
    // follow it.
    if (place != NULL) ((struct file *)base)->fetched--;
    return SQLITE_OK;
}

int fetch_limit(file *file, sqlite3_int64 *limit) {
    sqlite3_int64 wanted = *limit;
    *limit = (sqlite3_int64)file->window_limit;
    if (wanted < 0 || file->fetched > 0) return SQLITE_OK;
    if (wanted > 0x40000000) wanted = 0x40000000;
    if ((uint64_t)wanted != file->window_limit) {
        window_close(&file->window);
        file->window_limit = (uint64_t)wanted;
    }
    return SQLITE_OK;
}
