// Mappings as C has them: functions that return a code. Those of the interfaces `types` and `locks` that
// a database needs.

#ifndef MAPPED_H
#define MAPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Why an operation failed: the cases of `error-code` in iommap.wit, in their order, and before
// them, success.
typedef enum {
    MAPPED_OK,
    MAPPED_BADARG,
    MAPPED_ENOMEM,
    MAPPED_ENOENT,
    MAPPED_EACCES,
    MAPPED_CLOSED,
    MAPPED_OUT_OF_BOUNDS,
    MAPPED_SIGBUS,
    MAPPED_EEXIST,
    MAPPED_ENOTREG,
    MAPPED_ENOSPC,
    MAPPED_EFBIG,
    MAPPED_EMFILE,
    MAPPED_LIMIT_EXCEEDED,
    MAPPED_ENOTSUP,
    MAPPED_EIO,
    MAPPED_OTHER,
    // Not an error code: somebody else holds a lock.
    MAPPED_BUSY,
} mapped_status;

// The code's name in iommap.wit.
const char *mapped_name(mapped_status status);

// A handle of a mapping: none is 0.
typedef int32_t mapped_handle;

typedef enum {
    MAPPED_READ = 0,
    MAPPED_WRITE = 1,            // to read and write
    MAPPED_CREATE = 2,           // if it is not there; with MAPPED_WRITE
    MAPPED_EXCLUSIVE = 4,        // only if it is not there; with MAPPED_CREATE
} mapped_how;

// Opens a file, makes it at least `least` bytes long, and tells how long the mapping is.
mapped_status mapped_open(mapped_handle *mapping, const char *path, unsigned how, uint64_t least,
                          uint64_t *length);

void mapped_close(mapped_handle *mapping);

// Reads exactly `length` bytes to `to`. They are copied once, by the host.
mapped_status mapped_read(mapped_handle mapping, uint64_t offset, void *to, size_t length);

mapped_status mapped_write(mapped_handle mapping, uint64_t offset, const void *from, size_t length);

// Makes the file and the mapping exactly so long.
mapped_status mapped_truncate(mapped_handle mapping, uint64_t length);

// Returns when the device has all of it.
mapped_status mapped_sync(mapped_handle mapping);

// Tries once to take a lock on a range. MAPPED_BUSY: somebody else holds one.
mapped_status mapped_lock(mapped_handle mapping, uint64_t offset, uint64_t length, bool exclusive);

mapped_status mapped_unlock(mapped_handle mapping, uint64_t offset, uint64_t length);

// Does nobody else hold a lock that would exclude this one? MAPPED_BUSY: somebody does.
mapped_status mapped_would_lock(mapped_handle mapping, uint64_t offset, uint64_t length,
                                bool exclusive);

// A call to the host that does nothing: no compiler moves loads and stores over it.
void mapped_call(mapped_handle mapping);

#endif
