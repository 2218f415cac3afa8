// Uses that no manual recommends.

#include "mman.h"

static const int RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS;

static void halves(void) {
    make("f", 6 * UNIT);
    for (int kind = 0; kind < 3; kind++) {
        size_t length = 6 * UNIT;
        uint8_t *map;
        if (kind == 0) {
            map = mmap(NULL, length, RW, ANON, -1, 0);
            MUST(map != MAP_FAILED);
            for (size_t k = 0; k < length; k++) map[k] = nth(k);
        } else {
            map = whole("f", O_RDWR, RW, kind == 1 ? MAP_SHARED : MAP_PRIVATE, &length);
        }
        SAY(munmap(map, UNIT));
        SAY(munmap(map + 3 * UNIT, UNIT));
        MUST(is_nth(map + UNIT, UNIT, 2 * UNIT) && is_nth(map + 4 * UNIT, 4 * UNIT, 2 * UNIT));
        SAY(msync(map + UNIT, 2 * UNIT, MS_SYNC));
        SAY(msync(map, 2 * UNIT, MS_SYNC));
        SAY(msync(map + UNIT, 3 * UNIT, MS_SYNC));
        SAY(madvise(map + 2 * UNIT, 2 * UNIT, MADV_WILLNEED));
        SAY(munmap(map + 4 * UNIT, 2 * UNIT));
        MUST(is_nth(map + UNIT, UNIT, 2 * UNIT));
        SAY(munmap(map, 6 * UNIT));
        SAY(msync(map + UNIT, UNIT, MS_SYNC));
        SAY(munmap(map, 6 * UNIT));
    }
}

// A range that is set aside, and is filled from files and with memory.
static void fixed(void) {
    make("f", 6 * UNIT + 10);
    int fd = file("f", O_RDWR);
    uint8_t *at = mmap(NULL, 10 * UNIT, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
    MUST(at != MAP_FAILED);
    for (int round = 0; round < 3; round++) {
        // Side by side.
        MUST(mmap(at, UNIT, RW, MAP_PRIVATE | MAP_FIXED, fd, 0) == at);
        uint8_t *second = at + UNIT;
        MUST(mmap(second, 2 * UNIT, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, UNIT) == second);
        uint8_t *third = at + 3 * UNIT;
        MUST(mmap(third, UNIT, RW, ANON | MAP_FIXED, -1, 0) == third);
        MUST(is_zero(third, UNIT));
        memset(third, 'm', UNIT);
        // With a gap of nothing behind it, to be written to.
        uint8_t *fourth = at + 5 * UNIT;
        MUST(mmap(fourth, UNIT, RW, MAP_SHARED | MAP_FIXED, fd, 3 * UNIT) == fourth);
        MUST(is_nth(at, 0, 3 * UNIT) && third[0] == 'm' && third[UNIT - 1] == 'm');
        MUST(is_nth(fourth, 3 * UNIT, UNIT));
        memcpy(fourth, "through", 7);
        char read[8] = "";
        MUST(pread(fd, read, 7, 3 * UNIT) == 7 && strcmp(read, "through") == 0);
        fourth[0] = nth(3 * UNIT);
        for (int k = 0; k < 7; k++) fourth[k] = nth(3 * UNIT + (uint64_t)k);
        // All of one is replaced, and the memory in front of it.
        uint8_t *over = at + 4 * UNIT;
        MUST(mmap(over, 2 * UNIT, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 4 * UNIT) == over);
        MUST(is_nth(over, 4 * UNIT, 2 * UNIT));
        MUST(mmap(at, 10 * UNIT, PROT_NONE, ANON | MAP_FIXED | MAP_NORESERVE, -1, 0) == at);
        MUST(page() < UNIT || is_zero(at, 4 * UNIT));
    }
    // What goes is free for a map there.
    MUST(munmap(at + 2 * UNIT, 2 * UNIT) == 0);
    uint8_t *back = mmap(at + 2 * UNIT, UNIT, RW, MAP_SHARED | MAP_FIXED, fd, 2 * UNIT);
    MUST(back == at + 2 * UNIT && is_nth(back, 2 * UNIT, UNIT));
    SAY(munmap(at, 10 * UNIT));
    SAY(msync(at, 10 * UNIT, MS_SYNC));
    // What was stored behind the file's end stays when another page of the map is replaced.
    uint8_t *own = mmap(NULL, 2 * UNIT, RW, MAP_PRIVATE, fd, 5 * UNIT);
    MUST(own != MAP_FAILED && is_nth(own, 5 * UNIT, UNIT + 10));
    memcpy(own + UNIT + 20, "behind", 6);
    MUST(mmap(own, UNIT, RW, ANON | MAP_FIXED, -1, 0) == own && is_zero(own, UNIT));
    MUST(is_nth(own + UNIT, 6 * UNIT, 10) && memcmp(own + UNIT + 20, "behind", 6) == 0);
    MUST(munmap(own, 2 * UNIT) == 0);
    close(fd);
    puts("three rounds");
}

static void many(void) {
    enum { MAPS = 600 };
    make("f", 40 * UNIT + 77);
    int fd = file("f", O_RDONLY);
    static uint8_t *at[MAPS];
    static off_t from[MAPS];
    for (int k = 0; k < MAPS; k++) {
        from[k] = (off_t)draw(41) * UNIT;
        int flags = draw(2) ? MAP_SHARED : MAP_PRIVATE;
        at[k] = mmap(NULL, 70, PROT_READ, flags, fd, from[k]);
        MUST(at[k] != MAP_FAILED);
    }
    for (int k = 0; k < MAPS; k++) {
        int other = (int)draw(MAPS);
        MUST(at[other] == NULL || is_nth(at[other], (uint64_t)from[other], 70));
        other = (int)draw(MAPS);
        if (at[other] != NULL) MUST(munmap(at[other], 70) == 0);
        at[other] = NULL;
    }
    int left = 0;
    for (int k = 0; k < MAPS; k++) {
        if (at[k] == NULL) continue;
        MUST(is_nth(at[k], (uint64_t)from[k], 70));
        MUST(munmap(at[k], 70) == 0);
        left++;
    }
    printf("%d of %d were left\n", left, MAPS);
}

// Memory and files come and go, whole and in parts, between allocations of the C library's. Each
// has a number in each of its units, which nobody else may have changed.
static void churn(void) {
    enum { SLOTS = 24, UNITS = 5 };
    make("f", UNITS * UNIT);
    int fd = file("f", O_RDWR);
    static struct {
        uint8_t *map;
        uint32_t *heap;
        size_t units;
        bool there[UNITS];
        bool of_file;
        uint32_t number;
    } slots[SLOTS];
    uint32_t made = 0, parts = 0;
    for (uint32_t step = 0; step < 4000; step++) {
        uint32_t k = draw(SLOTS);
        if (slots[k].map == NULL) {
            slots[k].units = 1 + draw(UNITS);
            slots[k].of_file = draw(2);
            int flags = slots[k].of_file ? MAP_PRIVATE : ANON;
            size_t length = slots[k].units * UNIT;
            slots[k].map = mmap(NULL, length, RW, flags, slots[k].of_file ? fd : -1, 0);
            MUST(slots[k].map != MAP_FAILED);
            slots[k].number = ++made;
            slots[k].heap = malloc(1000 + draw(200000));
            MUST(slots[k].heap != NULL);
            *slots[k].heap = made;
            for (size_t unit = 0; unit < slots[k].units; unit++) {
                uint8_t *at = slots[k].map + unit * UNIT;
                bool right = slots[k].of_file ? is_nth(at, unit * UNIT, 500) : is_zero(at, 500);
                MUST(right && (slots[k].of_file || is_zero(at + UNIT - 500, 500)));
                slots[k].there[unit] = true;
                memcpy(at, &made, sizeof made);
                memcpy(at + UNIT - sizeof made, &made, sizeof made);
            }
            continue;
        }
        bool left = false;
        size_t gone = draw((uint32_t)slots[k].units);
        MUST(*slots[k].heap == slots[k].number);
        for (size_t unit = 0; unit < slots[k].units; unit++) {
            if (!slots[k].there[unit]) continue;
            uint8_t *at = slots[k].map + unit * UNIT;
            MUST(memcmp(at, &slots[k].number, 4) == 0);
            MUST(memcmp(at + UNIT - 4, &slots[k].number, 4) == 0);
            if (unit == gone) {
                MUST(munmap(at, UNIT) == 0);
                slots[k].there[unit] = false;
                parts++;
            } else {
                left = true;
            }
        }
        if (left) continue;
        free(slots[k].heap);
        slots[k].map = NULL;
    }
    printf("%u maps, %u parts\n", made, parts);
}

bool hostile(const char *name) {
    if (strcmp(name, "halves") == 0) {
        halves();
    } else if (strcmp(name, "fixed") == 0) {
        fixed();
    } else if (strcmp(name, "many") == 0) {
        many();
    } else if (strcmp(name, "churn") == 0) {
        churn();
    } else {
        return false;
    }
    return true;
}
