// Files of SQLite's on mappings: what the parts of the VFS know of each other.

#ifndef FILE_H
#define FILE_H

#include "mapped.h"
#include "window.h"

#include "sqlite3.h"

// What several connections of this program have in common of a -shm file: see shm.c.
typedef struct shm_pages shm_pages;

// What one connection has of it.
typedef struct {
    shm_pages *pages;
    mapped_handle locks; // holds this connection's locks on the -shm file
    unsigned shared, exclusive; // one bit for each
} shm_connection;

// Where a database has what tells it from itself before and after a transaction, and from another one whose
// bytes were copied over it: from 16 on the size of its pages and the kind of its journal, and up to 40 all
// that SQLite compares before it uses pages that it has: the count of changes, the number of pages, and the
// first and the number of those that are free.
enum { VERSION_OFFSET = 16, VERSION_LENGTH = 24, VERSION_JOURNAL = 2 };

// An open file. A mapping keeps the length that its file had when it was mapped, while others cut and
// grow the file. So whoever is about to write, or to ask for the length, looks first, once for each lock
// that was taken meanwhile: without a lock nobody changes a file, and with one nobody else does.
typedef struct file {
    sqlite3_file base;
    char *path;
    bool writes;      // may
    bool database;
    bool log;         // a write-ahead log: others may append to it after us
    bool kept;        // a journal, whose name has yet to reach the device with its directory
    bool deletes;     // when it is closed
    int fd;           // WASI's, which knows the file's length
    mapped_handle mapping;
    mapped_handle locks; // the mapping that holds the locks: the first one
    uint64_t mapped;  // the length of the mapping and, as far as we know, of the file
    uint64_t length;  // the length that we want: less, while what was allocated is being filled
    unsigned looked;  // at which `lock_taken` the length was last looked at
    uint8_t version[VERSION_LENGTH]; // what the database had there then
    uint8_t without_log[VERSION_LENGTH]; // the same, when no write-ahead log was there
    bool hot;         // under this lock there was a journal, which may be rolled back
    int level;        // of the lock on a database: SQLITE_LOCK_...
    shm_connection *shm;
    window window;    // for xFetch
    uint64_t window_limit;
    unsigned fetched; // pages that SQLite has of the window
    bool exclusive_mode; // PRAGMA locking_mode
    struct file *next_database; // of this program
} file;

// Counts the locks that this program has taken.
extern unsigned lock_taken;

// Notes what went wrong, in words, and returns the code.
int failed_with(int code, const char *what, const char *path, mapped_status status);

// Looks at the file's length, and maps it again if it is another one.
int file_look(file *file);
// The same, if a lock was taken since it was last done.
int file_refresh(file *file);
// Gives back what was allocated and not filled. Only while nobody else may write.
int file_trim(file *file);

// Notes that a database was opened.
void file_opened(file *database);
// The database with a rollback journal that this would be the write-ahead log of, if there were one; and
// only if it is known which version the database is of. Otherwise NULL.
file *file_of_log(const char *log, uint8_t version[VERSION_LENGTH]);

int file_close(sqlite3_file *base);
int file_read(sqlite3_file *base, void *to, int amount, sqlite3_int64 offset);
int file_write(sqlite3_file *base, const void *from, int amount, sqlite3_int64 offset);
int file_truncate(sqlite3_file *base, sqlite3_int64 length);
int file_sync(sqlite3_file *base, int flags);
int file_size(sqlite3_file *base, sqlite3_int64 *length);

// lock.c
int file_lock(sqlite3_file *base, int level);
int file_unlock(sqlite3_file *base, int level);
int file_check_reserved(sqlite3_file *base, int *reserved);

// shm.c
int shm_map(sqlite3_file *base, int index, int size, int extend, void volatile **place);
int shm_lock(sqlite3_file *base, int first, int count, int flags);
void shm_barrier(sqlite3_file *base);
int shm_unmap(sqlite3_file *base, int remove);
// Can this host do what a write-ahead log takes, for files beside this one?
bool shm_possible(const file *file);

// fetch.c
int file_fetch(sqlite3_file *base, sqlite3_int64 offset, int amount, void **place);
int file_unfetch(sqlite3_file *base, sqlite3_int64 offset, void *place);
int fetch_limit(file *file, sqlite3_int64 *limit);

// control.c
int file_control(sqlite3_file *base, int operation, void *argument);

// amalgamation.c
void plain_files_without_maps(void);

// directory.c: of the file of this name
int sync_directory(const char *path);

#endif
