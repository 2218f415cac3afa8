// Brings a directory to the device, so that a journal that was made or deleted stays so.

#include "file.h"

#include "sqlite.h" // what wit-bindgen made of wit/sqlite.wit

#include <stdlib.h>
#include <string.h>

// What of a path lies in a directory of this name, or NULL.
static const char *inside(const char *path, const char *name, size_t length) {
    if (length == 1 && name[0] == '.') return path[0] == '/' ? NULL : path;
    if (strncmp(path, name, length) != 0) return NULL;
    const char *rest = path + length;
    if (length > 0 && name[length - 1] != '/' && *rest != '/' && *rest != '\0') return NULL;
    while (*rest == '/') rest++;
    return rest;
}

// Opens the directory in the granted one whose name is the longest in front of it.
static bool open_directory(const char *path, wasi_filesystem_types_own_descriptor_t *directory) {
    wasi_filesystem_preopens_list_tuple2_own_descriptor_string_t granted;
    wasi_filesystem_preopens_get_directories(&granted);
    const char *best_rest = NULL;
    size_t best = 0;
    for (size_t at = 0; at < granted.len; at++) {
        const sqlite_string_t *name = &granted.ptr[at].f1;
        const char *rest = inside(path, (const char *)name->ptr, name->len);
        if (rest != NULL && (best_rest == NULL || name->len > granted.ptr[best].f1.len)) {
            best_rest = rest;
            best = at;
        }
    }
    bool opened = false;
    if (best_rest != NULL) {
        const char *rest = *best_rest == '\0' ? "." : best_rest;
        sqlite_string_t name = {(uint8_t *)rest, strlen(rest)};
        wasi_filesystem_types_error_code_t error;
        opened = wasi_filesystem_types_method_descriptor_open_at(
            wasi_filesystem_types_borrow_descriptor(granted.ptr[best].f0),
            WASI_FILESYSTEM_TYPES_PATH_FLAGS_SYMLINK_FOLLOW, &name,
            WASI_FILESYSTEM_TYPES_OPEN_FLAGS_DIRECTORY, WASI_FILESYSTEM_TYPES_DESCRIPTOR_FLAGS_READ,
            directory, &error);
    }
    for (size_t at = 0; at < granted.len; at++) {
        wasi_filesystem_types_descriptor_drop_own(granted.ptr[at].f0);
    }
    wasi_filesystem_preopens_list_tuple2_own_descriptor_string_free(&granted);
    return opened;
}

int sync_directory(const char *path) {
    // The last one stays open: a database has its journal there again and again.
    static char *last;
    static wasi_filesystem_types_own_descriptor_t last_opened;
    const char *end = strrchr(path, '/');
    char *directory = end == NULL ? strdup(".") : strndup(path, end == path ? 1 : end - path);
    if (directory == NULL) return SQLITE_NOMEM;
    if (last == NULL || strcmp(last, directory) != 0) {
        if (last != NULL) wasi_filesystem_types_descriptor_drop_own(last_opened);
        free(last);
        last = NULL;
        if (!open_directory(directory, &last_opened)) {
            free(directory);
            return failed_with(SQLITE_IOERR_DIR_FSYNC, "cannot open the directory of", path,
                               MAPPED_EIO);
        }
        last = directory;
    } else {
        free(directory);
    }
    wasi_filesystem_types_error_code_t error;
    if (wasi_filesystem_types_method_descriptor_sync(
            wasi_filesystem_types_borrow_descriptor(last_opened), &error)) {
        return SQLITE_OK;
    }
    return failed_with(SQLITE_IOERR_DIR_FSYNC, "cannot bring to the device the directory of", path,
                       MAPPED_EIO);
}
