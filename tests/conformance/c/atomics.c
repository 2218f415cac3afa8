// The commands for words.

#include "verbs.h"

static const char *const BITS[] = {"32", "64", NULL};
static const char *const CHANGES[] = {"add", "and", "or", "xor", "exchange", NULL};
static const char *const OUTCOMES[] = {"woken", "not-equal", "timed-out"};

static uint64_t value(words *w, bool wide) {
    uint64_t value = words_number(w, "a value");
    if (!wide && value > UINT32_MAX) words_bad(w, "the value has more than 32 bits");
    return value;
}

static void run_wait(words *w, mapping m, answer *a) {
    uint64_t offset = words_number(w, "an offset"), nanoseconds;
    uint32_t expected = (uint32_t)value(w, false);
    uint64_t *time = words_time(w, &nanoseconds);
    if (!words_end(w)) return;
    iommap_mmap_atomics_outcome_t outcome;
    for (;;) {
        a->failed = !iommap_mmap_atomics_wait(m, offset, expected, time, &outcome, &a->error);
        if (a->failed || outcome.tag != IOMMAP_MMAP_ATOMICS_OUTCOME_AGAIN) break;
        nanoseconds = outcome.val.again.val;
        time = outcome.val.again.is_some ? &nanoseconds : NULL;
    }
    if (a->failed) return;
    a->kind = WORD;
    a->word = OUTCOMES[outcome.tag];
}

static void run_notify(words *w, mapping m, answer *a) {
    uint64_t offset = words_number(w, "an offset");
    uint32_t count = (uint32_t)value(w, false), woken = 0;
    if (!words_end(w)) return;
    a->failed = !iommap_mmap_atomics_notify(m, offset, count, &woken, &a->error);
    a->kind = NUMBER;
    a->number = woken;
}

bool run_atomics(bytes verb, words *w, mapping m, answer *a) {
    bool load = is(verb, "load"), store = is(verb, "store"), change = is(verb, "change");
    if (is(verb, "wait")) return run_wait(w, m, a), true;
    if (is(verb, "notify")) return run_notify(w, m, a), true;
    if (!load && !store && !change && !is(verb, "compare-exchange")) return false;

    bool wide = words_one_of(w, "bits", BITS) == 1, done;
    uint64_t offset = words_number(w, "an offset"), was = 0;
    uint8_t how = change ? (uint8_t)words_one_of(w, "how", CHANGES) : 0;
    uint64_t first = load ? 0 : value(w, wide);
    uint64_t new = load || store || change ? 0 : value(w, wide);
    if (!words_end(w)) return true;
    uint32_t first32 = (uint32_t)first, new32 = (uint32_t)new, was32 = 0;
    error *e = &a->error;
    if (load) {
        done = wide ? iommap_mmap_atomics_load_u64(m, offset, &was, e)
                    : iommap_mmap_atomics_load_u32(m, offset, &was32, e);
    } else if (store) {
        done = wide ? iommap_mmap_atomics_store_u64(m, offset, first, e)
                    : iommap_mmap_atomics_store_u32(m, offset, first32, e);
    } else if (change) {
        done = wide ? iommap_mmap_atomics_change_u64(m, offset, how, first, &was, e)
                    : iommap_mmap_atomics_change_u32(m, offset, how, first32, &was32, e);
    } else {
        done = wide ? iommap_mmap_atomics_compare_exchange_u64(m, offset, first, new, &was, e)
                    : iommap_mmap_atomics_compare_exchange_u32(m, offset, first32, new32, &was32, e);
    }
    a->failed = !done;
    a->kind = store ? NOTHING : NUMBER;
    a->number = wide ? was : was32;
    return true;
}
