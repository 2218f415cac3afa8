// The commands for the storage behind files.

#include "verbs.h"

#include <stdlib.h>

bool run_storage(bytes verb, words *w, mapping m, answer *a) {
    bool punch = is(verb, "punch-hole"), zero = is(verb, "zero-range");
    if (is(verb, "sync-entry")) {
        if (words_end(w)) a->failed = !iommap_mmap_storage_sync_entry(m, &a->error);
        return true;
    }
    if (!punch && !zero && !is(verb, "allocate")) return false;
    uint64_t offset = words_number(w, "an offset"), length = words_number(w, "a length");
    if (!words_end(w)) return true;
    a->failed = punch ? !iommap_mmap_storage_punch_hole(m, offset, length, &a->error)
        : zero        ? !iommap_mmap_storage_zero_range(m, offset, length, &a->error)
                      : !iommap_mmap_storage_allocate(m, offset, length, &a->error);
    return true;
}

void run_sync_many(words *w, answer *a) {
    iommap_mmap_storage_list_borrow_mapping_t list = {0};
    list.ptr = calloc(w->count, sizeof *list.ptr);
    if (list.ptr == NULL) abort();
    while (words_left(w)) {
        bytes name = words_text(w, "a name");
        entry *named = find(name);
        if (named == NULL) {
            words_bad(w, "there is no mapping %s", (char *)name.bytes);
        } else {
            list.ptr[list.len++] = iommap_mmap_types_borrow_mapping(named->mapping);
        }
    }
    if (words_end(w)) {
        iommap_mmap_storage_sync_failure_t failure;
        a->failed = a->of_many = !iommap_mmap_storage_sync_many(&list, &failure);
        if (a->failed) {
            a->index = failure.index;
            a->error = failure.code;
        }
    }
    free(list.ptr);
}
