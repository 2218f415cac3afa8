// Counts the lines of a file and prints its last one, through a mapping.

#include "app.h" // what wit-bindgen makes of wit/app.wit

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// So much is read at a time: the file may be larger than a guest's memory.
enum { WINDOW = 1 << 20 };

// The cases of `error-code`, in their order in wit/deps/mmap/iommap.wit.
static const char *const ERRORS[] = {
    "badarg", "enomem",  "enoent", "eacces", "closed", "out-of-bounds",  "sigbus",  "eexist",
    "enotreg", "enospc", "efbig",  "emfile", "limit-exceeded", "enotsup", "eio",    "other",
};

static int failed(const char *path, iommap_mmap_types_error_code_t *error) {
    fprintf(stderr, "cannot read %s: %s\n", path, ERRORS[error->tag]);
    iommap_mmap_types_error_code_free(error);
    return 1;
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "/data/README.md";
    app_string_t name = {(uint8_t *)path, strlen(path)};
    iommap_mmap_types_own_mapping_t own;
    iommap_mmap_types_error_code_t error;
    if (!iommap_mmap_types_static_mapping_open(&name, IOMMAP_MMAP_TYPES_ACCESS_MODE_READ,
                                               IOMMAP_MMAP_TYPES_OPEN_FLAGS_SHARED, NULL, &own,
                                               &error)) {
        return failed(path, &error);
    }
    iommap_mmap_types_borrow_mapping_t file = iommap_mmap_types_borrow_mapping(own);
    uint64_t size;
    if (!iommap_mmap_types_method_mapping_position(file, &size, &error)) {
        return failed(path, &error);
    }

    // From front to back. Each piece is ours to free.
    uint64_t lines = 0;
    app_list_u8_t piece;
    for (uint64_t at = 0; at < size; at += WINDOW) {
        uint64_t length = size - at < WINDOW ? size - at : WINDOW;
        if (!iommap_mmap_types_method_mapping_pread(file, at, length, &piece, &error)) {
            return failed(path, &error);
        }
        for (size_t i = 0; i < piece.len; i++) lines += piece.ptr[i] == '\n';
        app_list_u8_free(&piece);
    }
    printf("%s: %" PRIu64 " bytes, %" PRIu64 " lines\n", path, size, lines);

    // From anywhere.
    uint64_t length = size < 1024 ? size : 1024;
    if (!iommap_mmap_types_method_mapping_pread(file, size - length, length, &piece, &error)) {
        return failed(path, &error);
    }
    size_t end = piece.len;
    if (end > 0 && piece.ptr[end - 1] == '\n') end--;
    size_t start = end;
    while (start > 0 && piece.ptr[start - 1] != '\n') start--;
    printf("the last line: %.*s\n", (int)(end - start), (const char *)piece.ptr + start);
    app_list_u8_free(&piece);

    iommap_mmap_types_mapping_drop_own(own);
    return 0;
}
