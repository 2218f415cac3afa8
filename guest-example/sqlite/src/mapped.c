#include "mapped.h"

#include "sqlite.h" // what wit-bindgen made of wit/sqlite.wit

#include <stdlib.h>
#include <string.h>

static const char *const NAMES[] = {
    "ok",     "badarg", "enomem", "enoent", "eacces", "closed",         "out-of-bounds", "sigbus",
    "eexist", "enotreg", "enospc", "efbig",  "emfile", "limit-exceeded", "enotsup",       "eio",
    "other",  "busy",
};

const char *mapped_name(mapped_status status) {
    return NAMES[status];
}

// Where the bytes of the next `pread` go, if it is this many: see `cabi_realloc`.
static void *destination;
static size_t destination_length;

// The host asks for memory by this before it copies a list there, once for a `pread`. The place may as
// well be where the bytes are wanted. (What wit-bindgen makes is weak, for those who have their own.)
__attribute__((__export_name__("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_length,
                                                                    size_t align, size_t length) {
    if (destination != NULL && old == NULL && align == 1 && length == destination_length) {
        void *place = destination;
        destination = NULL;
        return place;
    }
    (void)old_length;
    if (length == 0) return (void *)align;
    void *place = realloc(old, length);
    if (place == NULL) abort();
    return place;
}

// A status of what was generated's error, which is ours to free.
static mapped_status failed(iommap_mmap_types_error_code_t *error) {
    mapped_status status = (mapped_status)(error->tag + 1);
    iommap_mmap_types_error_code_free(error);
    return status;
}

static iommap_mmap_types_borrow_mapping_t borrowed(mapped_handle mapping) {
    return iommap_mmap_types_borrow_mapping((iommap_mmap_types_own_mapping_t){mapping});
}

mapped_status mapped_open(mapped_handle *mapping, const char *path, unsigned how, uint64_t least,
                          uint64_t *length) {
    sqlite_string_t name = {(uint8_t *)path, strlen(path)};
    iommap_mmap_types_access_mode_t mode = how & MAPPED_WRITE
                                               ? IOMMAP_MMAP_TYPES_ACCESS_MODE_READ_WRITE
                                               : IOMMAP_MMAP_TYPES_ACCESS_MODE_READ;
    iommap_mmap_types_open_flags_t flags = IOMMAP_MMAP_TYPES_OPEN_FLAGS_SHARED;
    if (how & MAPPED_CREATE) flags |= IOMMAP_MMAP_TYPES_OPEN_FLAGS_CREATE;
    if (how & MAPPED_EXCLUSIVE) flags |= IOMMAP_MMAP_TYPES_OPEN_FLAGS_EXCLUSIVE;
    iommap_mmap_types_own_mapping_t own;
    iommap_mmap_types_error_code_t error;
    if (!iommap_mmap_types_static_mapping_open(&name, mode, flags, least > 0 ? &least : NULL, &own,
                                               &error)) {
        return failed(&error);
    }
    *mapping = own.__handle;
    if (!iommap_mmap_types_method_mapping_position(borrowed(*mapping), length, &error)) {
        mapped_close(mapping);
        return failed(&error);
    }
    return MAPPED_OK;
}

void mapped_close(mapped_handle *mapping) {
    if (*mapping == 0) return;
    iommap_mmap_types_mapping_drop_own((iommap_mmap_types_own_mapping_t){*mapping});
    *mapping = 0;
}

mapped_status mapped_read(mapped_handle mapping, uint64_t offset, void *to, size_t length) {
    sqlite_list_u8_t list;
    iommap_mmap_types_error_code_t error;
    destination = to;
    destination_length = length;
    bool read =
        iommap_mmap_types_method_mapping_pread(borrowed(mapping), offset, length, &list, &error);
    destination = NULL;
    if (!read) return failed(&error);
    if (list.ptr != to) {
        memcpy(to, list.ptr, length);
        sqlite_list_u8_free(&list);
    }
    return MAPPED_OK;
}

mapped_status mapped_write(mapped_handle mapping, uint64_t offset, const void *from, size_t length) {
    sqlite_list_u8_t list = {(uint8_t *)from, length};
    iommap_mmap_types_error_code_t error;
    return iommap_mmap_types_method_mapping_pwrite(borrowed(mapping), offset, &list, &error)
               ? MAPPED_OK
               : failed(&error);
}

mapped_status mapped_truncate(mapped_handle mapping, uint64_t length) {
    iommap_mmap_types_error_code_t error;
    return iommap_mmap_types_method_mapping_truncate(borrowed(mapping), length, &error)
               ? MAPPED_OK
               : failed(&error);
}

mapped_status mapped_sync(mapped_handle mapping) {
    iommap_mmap_types_error_code_t error;
    return iommap_mmap_types_method_mapping_sync(borrowed(mapping),
                                                 IOMMAP_MMAP_TYPES_SYNC_MODE_SYNC, &error)
               ? MAPPED_OK
               : failed(&error);
}

static iommap_mmap_locks_lock_mode_t mode_of(bool exclusive) {
    return exclusive ? IOMMAP_MMAP_LOCKS_LOCK_MODE_EXCLUSIVE : IOMMAP_MMAP_LOCKS_LOCK_MODE_SHARED;
}

mapped_status mapped_lock(mapped_handle mapping, uint64_t offset, uint64_t length, bool exclusive) {
    uint64_t no_time = 0;
    iommap_mmap_locks_outcome_t outcome;
    iommap_mmap_types_error_code_t error;
    if (!iommap_mmap_locks_lock(borrowed(mapping), offset, length, mode_of(exclusive), &no_time,
                                &outcome, &error)) {
        return failed(&error);
    }
    return outcome == IOMMAP_MMAP_LOCKS_OUTCOME_LOCKED ? MAPPED_OK : MAPPED_BUSY;
}

mapped_status mapped_unlock(mapped_handle mapping, uint64_t offset, uint64_t length) {
    iommap_mmap_types_error_code_t error;
    return iommap_mmap_locks_unlock(borrowed(mapping), offset, length, &error) ? MAPPED_OK
                                                                                : failed(&error);
}

mapped_status mapped_would_lock(mapped_handle mapping, uint64_t offset, uint64_t length,
                                bool exclusive) {
    bool could;
    iommap_mmap_types_error_code_t error;
    if (!iommap_mmap_locks_would_lock(borrowed(mapping), offset, length, mode_of(exclusive), &could,
                                      &error)) {
        return failed(&error);
    }
    return could ? MAPPED_OK : MAPPED_BUSY;
}

void mapped_call(mapped_handle mapping) {
    uint64_t length;
    iommap_mmap_types_error_code_t error;
    if (!iommap_mmap_types_method_mapping_position(borrowed(mapping), &length, &error)) {
        failed(&error);
    }
}
