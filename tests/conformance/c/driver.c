// Does to mappings what the tests tell it, one command at a time: the driver, in C. The commands
// are listed at the top of tests/guests/driver/src/lib.rs.

#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// In the order of `iommap.wit`, as are the constants that are generated from it.
static const char *const MODES[] = {"read", "write", "read-write", NULL};
static const char *const OPTIONS[] = {
    "shared", "private", "lock", "populate", "nocache", "create", "truncate", "exclusive", NULL,
};
static const char *const SYNC_MODES[] = {"sync", "async", NULL};
static const char *const HINTS[] = {
    "normal", "random", "sequential", "willneed", "dontneed", NULL,
};
static const char *const LOCK_MODES[] = {"shared", "exclusive", NULL};
static const char *const OUTCOMES[] = {"locked", "busy", "deadlock"};
static const char *const ERRORS[] = {
    [IOMMAP_MMAP_TYPES_ERROR_CODE_BADARG] = "badarg",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_ENOMEM] = "enomem",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_ENOENT] = "enoent",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_EACCES] = "eacces",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_CLOSED] = "closed",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_OUT_OF_BOUNDS] = "out-of-bounds",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_SIGBUS] = "sigbus",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_EEXIST] = "eexist",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_ENOTREG] = "enotreg",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_ENOSPC] = "enospc",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_EFBIG] = "efbig",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_EMFILE] = "emfile",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_LIMIT_EXCEEDED] = "limit-exceeded",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_ENOTSUP] = "enotsup",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_EIO] = "eio",
    [IOMMAP_MMAP_TYPES_ERROR_CODE_OTHER] = "other",
};

// The table is small; a place whose name is NULL is free.
static entry table[256];

entry *find(bytes name) {
    for (entry *at = table; at < table + sizeof table / sizeof *table; at++) {
        if (at->name != NULL && is(name, at->name)) return at;
    }
    return NULL;
}

entry *place_for(words *w, bytes name) {
    if (find(name) != NULL) words_bad(w, "this name is in use");
    entry *place = table;
    while (place < table + sizeof table / sizeof *table && place->name != NULL) place++;
    if (place == table + sizeof table / sizeof *table) words_bad(w, "the table is full");
    return place;
}

static void run_open(words *w, answer *a) {
    bytes name = words_text(w, "a name");
    bytes path = words_text(w, "a path");
    size_t mode = words_one_of(w, "a mode", MODES);
    iommap_mmap_types_open_flags_t options = 0;
    uint64_t size = 0, *wanted = NULL;
    while (words_left(w)) {
        char *word = (char *)words_text(w, "an option").bytes;
        if (strncmp(word, "size=", 5) == 0) {
            size = number(w, word + 5);
            wanted = &size;
        } else if (strcmp(word, "-") != 0) {
            for (char *option; (option = strsep(&word, ",")) != NULL;) {
                options |= (iommap_mmap_types_open_flags_t)(1u << one_of(w, option, OPTIONS));
            }
        }
    }
    entry *place = place_for(w, name);
    if (!words_end(w)) return;

    driver_string_t where = {path.bytes, path.length};
    a->failed = !iommap_mmap_types_static_mapping_open(&where, (uint8_t)mode, options, wanted,
                                                       &place->mapping, &a->error);
    if (a->failed) return;
    place->name = strdup((char *)name.bytes);
    place->known = false;
}

static void run_pwrite_many(words *w, mapping m, answer *a) {
    size_t count;
    span *spans = words_ranges(w, &count);
    bytes data = words_data(w);
    if (words_end(w)) {
        // A span is laid out as a range is.
        _Static_assert(sizeof(span) == sizeof(iommap_mmap_batch_range_t), "the same two numbers");
        iommap_mmap_batch_list_range_t ranges = {(iommap_mmap_batch_range_t *)spans, count};
        driver_list_u8_t list = {data.bytes, data.length};
        a->failed = !iommap_mmap_batch_pwrite_many(m, &ranges, &list, &a->error);
    }
    free(data.bytes);
    free(spans);
}

static void run_pread_many(words *w, mapping m, answer *a) {
    size_t count;
    span *spans = words_ranges(w, &count);
    if (words_end(w)) {
        iommap_mmap_batch_list_range_t ranges = {(iommap_mmap_batch_range_t *)spans, count};
        a->failed = !iommap_mmap_batch_pread_many(m, &ranges, &a->bytes, &a->error);
        a->kind = BYTES;
    }
    free(spans);
}

static void run_pwrite(words *w, mapping m, answer *a) {
    uint64_t offset = words_number(w, "an offset");
    bytes data = words_data(w);
    if (words_end(w)) {
        driver_list_u8_t list = {data.bytes, data.length};
        a->failed = !iommap_mmap_types_method_mapping_pwrite(m, offset, &list, &a->error);
    }
    free(data.bytes);
}

static void run_lock(words *w, mapping m, answer *a) {
    uint64_t offset = words_number(w, "an offset"), length = words_number(w, "a length");
    uint8_t mode = (uint8_t)words_one_of(w, "a mode", LOCK_MODES);
    uint64_t nanoseconds, *wait = words_time(w, &nanoseconds);
    if (!words_end(w)) return;
    iommap_mmap_locks_outcome_t outcome;
    do {
        a->failed = !iommap_mmap_locks_lock(m, offset, length, mode, wait, &outcome, &a->error);
    } while (!a->failed && outcome == IOMMAP_MMAP_LOCKS_OUTCOME_AGAIN);
    if (a->failed) return;
    a->kind = WORD;
    a->word = OUTCOMES[outcome];
}

static void run_would_lock(words *w, mapping m, answer *a) {
    uint64_t offset = words_number(w, "an offset"), length = words_number(w, "a length");
    uint8_t mode = (uint8_t)words_one_of(w, "a mode", LOCK_MODES);
    if (!words_end(w)) return;
    bool could = false;
    a->failed = !iommap_mmap_locks_would_lock(m, offset, length, mode, &could, &a->error);
    a->kind = WORD;
    a->word = could ? "true" : "false";
}

// The commands whose first word names a mapping, and that take little else.
static void run_on(bytes verb, words *w, entry *named, answer *a) {
    mapping m = iommap_mmap_types_borrow_mapping(named->mapping);
    if (is(verb, "drop")) {
        if (!words_end(w)) return;
        iommap_mmap_types_mapping_drop_own(named->mapping);
        free(named->name);
        named->name = NULL;
    } else if (is(verb, "close")) {
        if (!words_end(w)) return;
        a->failed = !iommap_mmap_types_method_mapping_close(m, &a->error);
    } else if (is(verb, "pread")) {
        uint64_t offset = words_number(w, "an offset"), length = words_number(w, "a length");
        if (!words_end(w)) return;
        a->failed =
            !iommap_mmap_types_method_mapping_pread(m, offset, length, &a->bytes, &a->error);
        a->kind = BYTES;
    } else if (is(verb, "pwrite")) {
        run_pwrite(w, m, a);
    } else if (is(verb, "pread-many")) {
        run_pread_many(w, m, a);
    } else if (is(verb, "pwrite-many")) {
        run_pwrite_many(w, m, a);
    } else if (is(verb, "sync")) {
        size_t mode = words_one_of(w, "a mode", SYNC_MODES);
        if (!words_end(w)) return;
        a->failed = !iommap_mmap_types_method_mapping_sync(m, (uint8_t)mode, &a->error);
    } else if (is(verb, "sync-range")) {
        uint64_t offset = words_number(w, "an offset"), length = words_number(w, "a length");
        size_t mode = words_one_of(w, "a mode", SYNC_MODES);
        if (!words_end(w)) return;
        a->failed = !iommap_mmap_types_method_mapping_sync_range(m, offset, length, (uint8_t)mode,
                                                                 &a->error);
    } else if (is(verb, "truncate")) {
        uint64_t size = words_number(w, "a size");
        if (!words_end(w)) return;
        a->failed = !iommap_mmap_types_method_mapping_truncate(m, size, &a->error);
    } else if (is(verb, "advise")) {
        uint64_t offset = words_number(w, "an offset"), length = words_number(w, "a length");
        size_t hint = words_one_of(w, "a hint", HINTS);
        if (!words_end(w)) return;
        a->failed =
            !iommap_mmap_types_method_mapping_advise(m, offset, length, (uint8_t)hint, &a->error);
    } else if (is(verb, "position")) {
        if (!words_end(w)) return;
        a->failed = !iommap_mmap_types_method_mapping_position(m, &a->number, &a->error);
        a->kind = NUMBER;
    } else if (is(verb, "lock")) {
        run_lock(w, m, a);
    } else if (is(verb, "would-lock")) {
        run_would_lock(w, m, a);
    } else if (is(verb, "unlock")) {
        uint64_t offset = words_number(w, "an offset"), length = words_number(w, "a length");
        if (!words_end(w)) return;
        a->failed = !iommap_mmap_locks_unlock(m, offset, length, &a->error);
    } else if (!run_atomics(verb, w, m, a) && !run_changes(verb, w, named, a)
               && !run_storage(verb, w, m, a)) {
        words_bad(w, "there is no command %s", (char *)verb.bytes);
    }
}

// Puts an answer into words. To be freed.
static char *say(const answer *a) {
    char *text = NULL;
    int done = 0;
    char which[16] = "";
    if (a->of_many) snprintf(which, sizeof which, "%" PRIu32 " ", a->index);
    if (a->failed) {
        const driver_option_string_t *other = &a->error.val.other;
        bool says = a->error.tag == IOMMAP_MMAP_TYPES_ERROR_CODE_OTHER && other->is_some;
        done = asprintf(&text, "err %s%s%s%.*s", which, ERRORS[a->error.tag], says ? " " : "",
                        says ? (int)other->val.len : 0, says ? (char *)other->val.ptr : "");
    } else if (a->kind == NOTHING) {
        done = asprintf(&text, "ok");
    } else if (a->kind == NUMBER) {
        done = asprintf(&text, "ok %" PRIu64, a->number);
    } else if (a->kind == WORD) {
        done = asprintf(&text, "ok %s", a->word);
    } else if (a->bytes.len > 64) {
        bytes data = {a->bytes.ptr, a->bytes.len};
        done = asprintf(&text, "ok len=%zu fnv=%016" PRIx64, data.length, fnv(data));
    } else {
        char hex[2 * 64 + 1] = "";
        for (size_t at = 0; at < a->bytes.len; at++) {
            snprintf(&hex[2 * at], 3, "%02x", a->bytes.ptr[at]);
        }
        done = asprintf(&text, "ok hex:%s", hex);
    }
    if (done < 0) abort();
    return text;
}

// What the world exports. `command` is ours to free; the answer is freed by what is generated.
void exports_driver_step(driver_string_t *command, driver_string_t *ret) {
    words w = words_split(command->ptr, command->len);
    answer a = {0};
    bytes verb = words_text(&w, "a command");
    if (is(verb, "open")) {
        run_open(&w, &a);
    } else if (is(verb, "sync-many")) {
        run_sync_many(&w, &a);
    } else {
        bytes name = words_text(&w, "a name");
        entry *named = find(name);
        if (named == NULL) {
            words_bad(&w, "there is no mapping %s", (char *)name.bytes);
        } else {
            run_on(verb, &w, named, &a);
        }
    }

    char *text = NULL;
    if (w.bad[0] != '\0') {
        if (asprintf(&text, "bad %s", w.bad) < 0) abort();
    } else {
        text = say(&a);
    }
    if (a.failed) iommap_mmap_types_error_code_free(&a.error);
    if (!a.failed && a.kind == BYTES) driver_list_u8_free(&a.bytes);
    words_free(&w);
    driver_string_free(command);
    *ret = (driver_string_t){(uint8_t *)text, strlen(text)};
}
