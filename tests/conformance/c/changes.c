// The commands for what has become of a file.

#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// Those that do not depend on the file system's clock.
static const struct {
    const char *word;
    iommap_mmap_changes_differences_t flag;
} DIFFERENCES[] = {
    {"shorter", IOMMAP_MMAP_CHANGES_DIFFERENCES_SHORTER},
    {"longer", IOMMAP_MMAP_CHANGES_DIFFERENCES_LONGER},
    {"replaced", IOMMAP_MMAP_CHANGES_DIFFERENCES_REPLACED},
    {"gone", IOMMAP_MMAP_CHANGES_DIFFERENCES_GONE},
};

static void say_state(const iommap_mmap_changes_file_state_t *state, answer *a) {
    size_t used = (size_t)snprintf(a->text, sizeof a->text, "%" PRIu64 " ", state->length);
    size_t none = used;
    for (size_t at = 0; at < sizeof DIFFERENCES / sizeof *DIFFERENCES; at++) {
        if (!(state->differences & DIFFERENCES[at].flag)) continue;
        used += (size_t)snprintf(a->text + used, sizeof a->text - used, "%s%s",
                                 used == none ? "" : ",", DIFFERENCES[at].word);
    }
    if (used == none) strcat(a->text, "-");
    a->kind = WORD;
    a->word = a->text;
}

static void run_wait_for_change(words *w, entry *named, mapping m, answer *a) {
    uint64_t nanoseconds, *time = words_time(w, &nanoseconds);
    if (!named->known) words_bad(w, "nothing is known of %s", named->name);
    if (!words_end(w)) return;
    iommap_mmap_changes_outcome_t outcome;
    for (;;) {
        a->failed = !iommap_mmap_changes_wait_for_change(m, &named->state, time, &outcome, &a->error);
        if (a->failed || outcome.tag != IOMMAP_MMAP_CHANGES_OUTCOME_AGAIN) break;
        nanoseconds = outcome.val.again.val;
        time = outcome.val.again.is_some ? &nanoseconds : NULL;
    }
    if (a->failed) return;
    a->kind = WORD;
    a->word = "same";
    if (outcome.tag == IOMMAP_MMAP_CHANGES_OUTCOME_CHANGED) say_state(&outcome.val.changed, a);
}

static void run_remap(words *w, mapping m, answer *a) {
    bytes name = words_text(w, "a name");
    entry *place = place_for(w, name);
    if (!words_end(w)) return;
    a->failed = !iommap_mmap_changes_remap(m, &place->mapping, &a->error);
    if (a->failed) return;
    place->name = strdup((char *)name.bytes);
    place->known = false;
}

static void run_read(bool strict, words *w, mapping m, answer *a) {
    uint64_t offset = words_number(w, "an offset"), length = words_number(w, "a length");
    if (!words_end(w)) return;
    a->failed = strict
        ? !iommap_mmap_changes_read_strict(m, offset, length, &a->bytes, &a->error)
        : !iommap_mmap_changes_read_up_to(m, offset, length, &a->bytes, &a->error);
    a->kind = BYTES;
}

bool run_changes(bytes verb, words *w, entry *named, answer *a) {
    mapping m = iommap_mmap_types_borrow_mapping(named->mapping);
    bool know = is(verb, "know"), modified = is(verb, "modified");
    if (is(verb, "read-strict")) return run_read(true, w, m, a), true;
    if (is(verb, "read-up-to")) return run_read(false, w, m, a), true;
    if (is(verb, "remap")) return run_remap(w, m, a), true;
    if (is(verb, "wait-for-change")) return run_wait_for_change(w, named, m, a), true;
    if (is(verb, "file-length")) {
        if (!words_end(w)) return true;
        a->failed = !iommap_mmap_changes_file_length(m, &a->number, &a->error);
        a->kind = NUMBER;
        return true;
    }
    if (!know && !modified && !is(verb, "changed")) return false;

    iommap_mmap_changes_file_state_t state;
    if (!words_end(w)) return true;
    a->failed = !iommap_mmap_changes_changed(m, &state, &a->error);
    if (a->failed) return true;
    if (know) {
        named->known = true;
        named->state = state;
    } else if (modified) {
        bool is = state.differences & IOMMAP_MMAP_CHANGES_DIFFERENCES_MODIFIED;
        a->kind = WORD;
        a->word = is ? "true" : "false";
    } else {
        say_state(&state, a);
    }
    return true;
}
