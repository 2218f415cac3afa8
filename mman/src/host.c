// The host's functions as the canonical ABI has them. No generated bindings: a program may have
// some of its own for the same interfaces, and they would have the same names. The linker of
// components holds these declarations to the WIT.

#include "host.h"

#include <errno.h>
#include <stdlib.h>

#define IMPORT(interface, name)                                                                    \
    __attribute__((__import_module__("iommap:" interface "@0.1.0"), __import_name__(name)))

IMPORT("wasi/open-files", "map-open")
extern void mm_import_map_open(int64_t, int32_t, int32_t, int32_t, int64_t, void *);
IMPORT("mmap/types", "[method]mapping.position") extern void mm_import_position(int32_t, void *);
IMPORT("mmap/types", "[method]mapping.sync-range")
extern void mm_import_sync_range(int32_t, int64_t, int64_t, int32_t, void *);
IMPORT("mmap/types", "[resource-drop]mapping") extern void mm_import_drop_mapping(int32_t);
IMPORT("mmap/windows", "[static]window.open")
extern void mm_import_window_open(int32_t, int64_t, int64_t, int64_t, int64_t, int64_t, int32_t,
                                  void *);
IMPORT("mmap/windows", "[method]window.close") extern void mm_import_window_close(int32_t, void *);
IMPORT("mmap/windows", "[method]window.prefetch")
extern void mm_import_prefetch(int32_t, int64_t, int64_t, void *);
IMPORT("mmap/windows", "[resource-drop]window") extern void mm_import_drop_window(int32_t);

// The object file with the world's type is linked for this symbol's sake.
extern void __component_type_object_force_link_mman(void);
void mm_links_its_type(void);
void mm_links_its_type(void) {
    __component_type_object_force_link_mman();
}

// Where the host puts strings that it returns. Every program has this function once; generated
// bindings have it in the same words.
__attribute__((__weak__, __export_name__("cabi_realloc"))) void *
cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    (void)old_size;
    if (size == 0) return (void *)align;
    void *new = realloc(old, size);
    if (new == NULL) abort();
    return new;
}

// `error-code` of iommap.wit, in its order, as errno has it.
static const int ERRORS[] = {
    EINVAL, // badarg
    ENOMEM, // enomem
    ENOENT, // enoent: the host knows no such open file
    EACCES, // eacces
    EBADF,  // closed
    ENXIO,  // out-of-bounds
    EIO,    // sigbus
    EEXIST, // eexist
    ENODEV, // enotreg
    ENOSPC, // enospc
    EFBIG,  // efbig
    ENFILE, // emfile
    EMFILE, // limit-exceeded
    ENODEV, // enotsup
    EIO,    // eio
};

// A result whose value is a handle, or nothing.
typedef struct {
    uint8_t failed;
    union {
        int32_t handle;
        struct {
            uint8_t kind;
            _Alignas(4) uint8_t has_words;
            char *words;
            size_t length;
        } error;
    };
} result;

_Static_assert(sizeof(result) == 20 && sizeof(void *) == 4, "as wasm32 lays it out");

static int errno_of(const result *answer) {
    if (!answer->failed) return 0;
    size_t kind = answer->error.kind;
    if (kind < sizeof ERRORS / sizeof *ERRORS) return ERRORS[kind];
    if (answer->error.has_words && answer->error.length != 0) {
        free(answer->error.words);
    }
    return EIO; // other
}

enum { READ = 0, READ_WRITE = 2 };                  // access-mode
enum { SHARED = 1 << 0, LOCK = 1 << 2 };            // open-flags
enum { WINDOW_SHARED = 1 << 0, POPULATE = 1 << 1 }; // window-flags

int mm_host_open_file(uint64_t inode, bool written, bool locked, int32_t *file, uint64_t *size) {
    result opened;
    int mode = written ? READ_WRITE : READ;
    mm_import_map_open((int64_t)inode, mode, SHARED | (locked ? LOCK : 0), 0, 0, &opened);
    if (opened.failed) return errno_of(&opened);
    struct {
        uint8_t failed;
        uint64_t size;
        uint64_t rest;
    } length;
    mm_import_position(opened.handle, &length);
    if (length.failed) {
        // Only a mapping that is closed has none.
        mm_import_drop_mapping(opened.handle);
        return EIO;
    }
    *file = opened.handle;
    *size = length.size;
    return 0;
}

void mm_host_close_file(int32_t file) {
    mm_import_drop_mapping(file);
}

int mm_host_sync_file(int32_t file, uint64_t offset, uint64_t length, bool wait) {
    result synced;
    mm_import_sync_range(file, (int64_t)offset, (int64_t)length, wait ? 0 : 1, &synced);
    return errno_of(&synced);
}

int mm_host_open_window(int32_t file, uint64_t offset, uint64_t length, const host_region *region,
                        bool shared, bool populate, int32_t *window) {
    result opened;
    int flags = (shared ? WINDOW_SHARED : 0) | (populate ? POPULATE : 0);
    mm_import_window_open(file, (int64_t)offset, (int64_t)length, (int64_t)region->address,
                          (int64_t)region->length, (int64_t)region->token, flags, &opened);
    if (opened.failed) return errno_of(&opened);
    *window = opened.handle;
    return 0;
}

int mm_host_close_window(int32_t window) {
    result closed;
    mm_import_window_close(window, &closed);
    mm_import_drop_window(window);
    return errno_of(&closed);
}

int mm_host_prefetch(int32_t window, uint64_t offset, uint64_t length) {
    result read;
    mm_import_prefetch(window, (int64_t)offset, (int64_t)length, &read);
    return errno_of(&read);
}
