#include "mapped.h"

#include "search.h" // what wit-bindgen made of wit/search.wit

#include <string.h>

static const char *const NAMES[] = {
    "ok",     "badarg", "enomem", "enoent", "eacces", "closed",         "out-of-bounds", "sigbus",
    "eexist", "enotreg", "enospc", "efbig",  "emfile", "limit-exceeded", "enotsup",       "eio",
    "other",
};

const char *mapped_name(mapped_status status) {
    return NAMES[status];
}

const char *mapped_message(mapped_status status) {
    switch (status) {
    case MAPPED_ENOENT:
        return "there is no such file. Names are those that the component sees: "
               "--dir HOST::GUEST shows the host's directory HOST as GUEST";
    case MAPPED_EACCES:
        return "not granted, or not readable. A directory is granted with "
               "`iommap run --dir DIR ...`, and a path may not leave it";
    case MAPPED_ENOTREG: return "not a regular file";
    case MAPPED_BADARG: return "this path cannot be the name of a file";
    case MAPPED_SIGBUS: return "the file was cut short while it was being read";
    case MAPPED_LIMIT_EXCEEDED:
        return "a limit of the host is reached: a smaller --window may do, or a higher limit, "
               "with `iommap run --limit NAME=VALUE ...`";
    case MAPPED_ENOMEM: return "the host has no memory or address space left to map it";
    case MAPPED_EMFILE: return "the host has too many files open";
    case MAPPED_ENOTSUP: return "its file system cannot map files";
    case MAPPED_EIO: return "the device failed to read it";
    default: return "the host refused";
    }
}

// A status of what was generated's error, which is ours to free.
static mapped_status failed(iommap_mmap_types_error_code_t *error) {
    mapped_status status = (mapped_status)(error->tag + 1);
    iommap_mmap_types_error_code_free(error);
    return status;
}

static iommap_mmap_types_borrow_mapping_t borrowed(const mapped_file *file) {
    return iommap_mmap_types_borrow_mapping((iommap_mmap_types_own_mapping_t){file->handle});
}

mapped_status mapped_open(mapped_file *file, const char *path) {
    search_string_t name = {(uint8_t *)path, strlen(path)};
    iommap_mmap_types_own_mapping_t mapping;
    iommap_mmap_types_error_code_t error;
    if (!iommap_mmap_types_static_mapping_open(&name, IOMMAP_MMAP_TYPES_ACCESS_MODE_READ,
                                               IOMMAP_MMAP_TYPES_OPEN_FLAGS_SHARED, NULL,
                                               &mapping, &error)) {
        return failed(&error);
    }
    file->handle = mapping.__handle;
    if (!iommap_mmap_types_method_mapping_position(borrowed(file), &file->size, &error)) {
        mapped_close(file);
        return failed(&error);
    }
    // Only a hint: without it the search is slower at worst.
    if (!iommap_mmap_types_method_mapping_advise(borrowed(file), 0, 0,
                                                 IOMMAP_MMAP_TYPES_ADVICE_SEQUENTIAL, &error)) {
        failed(&error);
    }
    return MAPPED_OK;
}

mapped_status mapped_read(const mapped_file *file, uint64_t offset, uint64_t length,
                          mapped_bytes *bytes) {
    search_list_u8_t list;
    iommap_mmap_types_error_code_t error;
    if (!iommap_mmap_types_method_mapping_pread(borrowed(file), offset, length, &list, &error)) {
        return failed(&error);
    }
    *bytes = (mapped_bytes){list.ptr, list.len};
    return MAPPED_OK;
}

void mapped_free(mapped_bytes *bytes) {
    search_list_u8_t list = {bytes->data, bytes->length};
    search_list_u8_free(&list);
    *bytes = (mapped_bytes){0};
}

void mapped_close(mapped_file *file) {
    iommap_mmap_types_mapping_drop_own((iommap_mmap_types_own_mapping_t){file->handle});
}
