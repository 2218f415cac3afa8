// A mapping as C has it: functions that return a code, and a sentence for each code.

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
} mapped_status;

// The code's name in iommap.wit.
const char *mapped_name(mapped_status status);

// What happened, and what can be done about it.
const char *mapped_message(mapped_status status);

// A file, mapped for reading.
typedef struct {
    int32_t handle;
    uint64_t size; // in bytes: what the file held when it was opened
} mapped_file;

// Bytes that were read: to be given back by `mapped_free`.
typedef struct {
    uint8_t *data;
    size_t length;
} mapped_bytes;

mapped_status mapped_open(mapped_file *file, const char *path);

// Reads exactly `length` bytes.
mapped_status mapped_read(const mapped_file *file, uint64_t offset, uint64_t length,
                          mapped_bytes *bytes);

void mapped_free(mapped_bytes *bytes);

void mapped_close(mapped_file *file);

#endif
