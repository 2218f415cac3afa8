// The index of a write-ahead log: the file whose name ends in `-shm`, in which all programs that use the
// database see each other's stores. Here its pages are shown by windows that reach the file, in the same
// layout and with locks in the same bytes as SQLite's own files for Unix have them.

#include "file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Locks are on bytes of the file's header, which nobody reads; the one behind them is held by whoever has
// the file open (the "dead man's switch": who finds it free is the first, and starts afresh).
enum { LOCKS = (22 + SQLITE_SHM_NLOCK) * 4, PRESENT = LOCKS + SQLITE_SHM_NLOCK };

// SQLite asks for parts of this size; a window shows two.
enum { PART = 32 << 10, PARTS = WINDOW_UNIT / PART };

struct shm_pages {
    char *path;
    unsigned users;
    window *windows;
    unsigned count;
    shm_pages *next;
};

// No two windows of this program show the same bytes: its connections have them in common.
static shm_pages *all_pages;

static shm_pages *pages_of(const char *path) {
    for (shm_pages *pages = all_pages; pages != NULL; pages = pages->next) {
        if (strcmp(pages->path, path) == 0) {
            pages->users++;
            return pages;
        }
    }
    shm_pages *pages = calloc(1, sizeof *pages);
    char *name = strdup(path);
    if (pages == NULL || name == NULL) {
        free(pages);
        free(name);
        return NULL;
    }
    *pages = (shm_pages){.path = name, .users = 1, .next = all_pages};
    all_pages = pages;
    return pages;
}

static void release_pages(shm_pages *pages) {
    if (--pages->users > 0) return;
    shm_pages **place = &all_pages;
    while (*place != pages) place = &(*place)->next;
    *place = pages->next;
    for (unsigned at = 0; at < pages->count; at++) window_close(&pages->windows[at]);
    free(pages->windows);
    free(pages->path);
    free(pages);
}

static int lock_failed(const char *path, mapped_status status) {
    if (status == MAPPED_BUSY) return SQLITE_BUSY;
    return failed_with(SQLITE_IOERR_SHMLOCK, "cannot lock", path, status);
}

// Says that we are there. Whoever is the first empties the file: what an earlier crash left is not
// trusted.
static int be_present(shm_connection *shm) {
    const char *path = shm->pages->path;
    mapped_status status = mapped_would_lock(shm->locks, PRESENT, 1, true);
    if (status == MAPPED_OK) {
        status = mapped_lock(shm->locks, PRESENT, 1, true);
        if (status != MAPPED_OK) return lock_failed(path, status);
        // SQLite does it by 3 as well, so that who looks at it knows what happened.
        status = mapped_truncate(shm->locks, 3);
        if (status != MAPPED_OK) {
            return failed_with(SQLITE_IOERR_SHMOPEN, "cannot empty", path, status);
        }
    } else if (status == MAPPED_BUSY) {
        // Somebody is there. Or is about to empty it: then this is for later.
        status = mapped_would_lock(shm->locks, PRESENT, 1, false);
        if (status != MAPPED_OK) return lock_failed(path, status);
    } else {
        return lock_failed(path, status);
    }
    status = mapped_lock(shm->locks, PRESENT, 1, false);
    return status == MAPPED_OK ? SQLITE_OK : lock_failed(path, status);
}

static void close_connection(shm_connection *shm) {
    mapped_close(&shm->locks);
    release_pages(shm->pages);
    free(shm);
}

static int open_connection(file *file) {
    char *path = sqlite3_mprintf("%s-shm", file->path);
    shm_connection *shm = calloc(1, sizeof *shm);
    shm_pages *pages = path == NULL || shm == NULL ? NULL : pages_of(path);
    sqlite3_free(path);
    if (pages == NULL) {
        free(shm);
        return SQLITE_NOMEM;
    }
    shm->pages = pages;
    uint64_t length;
    mapped_status status =
        mapped_open(&shm->locks, pages->path, MAPPED_WRITE | MAPPED_CREATE, 0, &length);
    int code = SQLITE_OK;
    if (status != MAPPED_OK) {
        code = failed_with(SQLITE_CANTOPEN, "cannot open", pages->path, status);
    } else {
        code = be_present(shm);
    }
    if (code == SQLITE_OK) {
        file->shm = shm;
    } else {
        close_connection(shm);
    }
    return code;
}

// Has the pages' window of this number show as much of the file as there is, up to two parts.
static int show(shm_pages *pages, unsigned number, size_t needed, bool extend, bool *there) {
    *there = number < pages->count && pages->windows[number].length >= needed;
    if (*there) return SQLITE_OK;
    uint64_t begin = (uint64_t)number * WINDOW_UNIT;
    uint64_t length;
    mapped_handle mapping;
    // It is made longer and never shorter: others may be faster.
    mapped_status status = mapped_open(&mapping, pages->path, MAPPED_WRITE,
                                       extend ? begin + WINDOW_UNIT : 0, &length);
    if (status != MAPPED_OK) {
        return failed_with(SQLITE_IOERR_SHMSIZE, "cannot map", pages->path, status);
    }
    if (length < begin + needed) {
        mapped_close(&mapping);
        return SQLITE_OK;
    }
    while (pages->count <= number) {
        window *more = realloc(pages->windows, (pages->count + 1) * sizeof *more);
        if (more == NULL) {
            mapped_close(&mapping);
            return SQLITE_NOMEM;
        }
        pages->windows = more;
        pages->windows[pages->count++] = (window){0};
    }
    uint64_t shown = length - begin < WINDOW_UNIT ? needed : WINDOW_UNIT;
    status = window_show(&pages->windows[number], mapping, begin, (size_t)shown, WINDOW_UNIT, true);
    mapped_close(&mapping);
    if (status != MAPPED_OK) {
        return failed_with(SQLITE_CANTOPEN,
                           "a write-ahead log takes `--limit windows=64 --limit window-bytes=1G "
                           "--windows-on-changing-files --writable-windows`, or PRAGMA "
                           "locking_mode=exclusive before it is first used: cannot show",
                           pages->path, status);
    }
    *there = true;
    return SQLITE_OK;
}

int shm_map(sqlite3_file *base, int index, int size, int extend, void volatile **place) {
    file *file = (struct file *)base;
    *place = NULL;
    if (size != PART) return SQLITE_IOERR_SHMMAP;
    if (file->shm == NULL) {
        int code = open_connection(file);
        if (code != SQLITE_OK) return code;
    }
    shm_pages *pages = file->shm->pages;
    unsigned number = (unsigned)index / PARTS;
    size_t from = (unsigned)index % PARTS * PART;
    bool there;
    int code = show(pages, number, from + PART, extend != 0, &there);
    if (code == SQLITE_OK && there) *place = pages->windows[number].data + from;
    return code;
}

int shm_lock(sqlite3_file *base, int first, int count, int flags) {
    shm_connection *shm = ((struct file *)base)->shm;
    if (shm == NULL) return SQLITE_IOERR_SHMLOCK;
    unsigned bits = ((1u << count) - 1) << first;
    uint64_t offset = LOCKS + (uint64_t)first;
    mapped_status status;
    if (flags & SQLITE_SHM_UNLOCK) {
        status = mapped_unlock(shm->locks, offset, (uint64_t)count);
        if (status != MAPPED_OK) return lock_failed(shm->pages->path, status);
        shm->shared &= ~bits;
        shm->exclusive &= ~bits;
        return SQLITE_OK;
    }
    bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    // Taken again, a shared lock would be the same one, and an exclusive one would become another.
    if (!exclusive && ((shm->shared | shm->exclusive) & bits) != 0) return SQLITE_OK;
    status = mapped_lock(shm->locks, offset, (uint64_t)count, exclusive);
    if (status != MAPPED_OK) return lock_failed(shm->pages->path, status);
    if (exclusive) {
        shm->exclusive |= bits;
    } else {
        shm->shared |= bits;
    }
    lock_taken++;
    return SQLITE_OK;
}

void shm_barrier(sqlite3_file *base) {
    // A call to the host, over which neither compiler moves a load or a store. Processors of the x86
    // family keep the order that this is about by themselves.
    mapped_call(((struct file *)base)->mapping);
}

int shm_unmap(sqlite3_file *base, int remove) {
    file *file = (struct file *)base;
    if (file->shm == NULL) return SQLITE_OK;
    // SQLite says so only with an exclusive lock on the database: nobody else has the file open.
    if (remove) unlink(file->shm->pages->path);
    close_connection(file->shm);
    file->shm = NULL;
    return SQLITE_OK;
}

bool shm_possible(const file *file) {
    static signed char known; // 1: yes, -1: no
    if (known != 0) return known > 0;
    char *path = sqlite3_mprintf("%s-window-%08x", file->path, arc4random());
    if (path == NULL) return false;
    mapped_handle mapping;
    uint64_t length;
    bool possible = false;
    if (mapped_open(&mapping, path, MAPPED_WRITE | MAPPED_CREATE | MAPPED_EXCLUSIVE, PART, &length) ==
        MAPPED_OK) {
        window window = {0};
        possible = window_show(&window, mapping, 0, PART, PART, true) == MAPPED_OK;
        window_close(&window);
        mapped_close(&mapping);
        unlink(path);
        known = possible ? 1 : -1;
    }
    sqlite3_free(path);
    return possible;
}
