// What maps show, and where stores go.

#include "mman.h"

static void reads(void) {
    size_t length = 5 * UNIT + 1234, mapped;
    make("f", length);
    for (int kind = 0; kind < 2; kind++) {
        int flags = kind == 0 ? MAP_SHARED : MAP_PRIVATE;
        uint8_t *map = whole("f", O_RDONLY, PROT_READ, flags, &mapped);
        MUST(mapped == length && is_nth(map, 0, length));
        // Behind the file's end there are zeros, to the end of the page.
        size_t end = (length + page() - 1) / page() * page();
        MUST(is_zero(map + length, end - length));
        MUST(munmap(map, length) == 0);

        int fd = file("f", O_RDONLY);
        for (size_t from = 0; from < length; from += UNIT) {
            size_t left = length - from;
            for (size_t part = 1; part <= left; part = part * 7 + 1) {
                uint8_t *at = mmap(NULL, part, PROT_READ, flags, fd, (off_t)from);
                MUST(at != MAP_FAILED && (uintptr_t)at % page() == 0);
                MUST(is_nth(at, from, part));
                MUST(munmap(at, part) == 0);
            }
        }
        close(fd);
    }
    printf("%zu bytes\n", length);
}

static void stores_stay(void) {
    make("f", 2 * UNIT);
    size_t length;
    uint8_t *own = whole("f", O_RDONLY, PROT_READ | PROT_WRITE, MAP_PRIVATE, &length);
    uint8_t *other = whole("f", O_RDONLY, PROT_READ, MAP_SHARED, &length);
    memset(own + 10, 'x', UNIT);
    MUST(is_nth(own, 0, 10) && own[10] == 'x' && own[UNIT + 9] == 'x');
    MUST(is_nth(own + UNIT + 10, UNIT + 10, UNIT - 10));
    MUST(is_nth(other, 0, length));
    SAY(msync(own, length, MS_SYNC));
    MUST(munmap(own, length) == 0);
    own = whole("f", O_RDONLY, PROT_READ, MAP_PRIVATE, &length);
    MUST(is_nth(own, 0, length));
}

static void stores_reach(void) {
    make("f", 3 * UNIT + 50);
    int fd = file("f", O_RDWR);
    uint8_t *map = mmap(NULL, UNIT + 50, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 2 * UNIT);
    MUST(map != MAP_FAILED && is_nth(map, 2 * UNIT, UNIT + 50));
    memcpy(map + 7, "reached", 7);
    memcpy(map + UNIT + 43, "the end", 7);
    char read[8] = "";
    MUST(pread(fd, read, 7, 2 * UNIT + 7) == 7);
    printf("%s, ", read);
    MUST(pread(fd, read, 7, 3 * UNIT + 43) == 7);
    puts(read);
    // And the other way.
    MUST(pwrite(fd, "written", 7, 2 * UNIT + 100) == 7);
    MUST(memcmp(map + 100, "written", 7) == 0);
    SAY(msync(map, UNIT + 50, MS_SYNC));
    SAY(msync(map + UNIT, 50, MS_ASYNC | MS_INVALIDATE));
    uint8_t *again = mmap(NULL, UNIT, PROT_READ, MAP_SHARED, fd, 2 * UNIT);
    MUST(again != MAP_FAILED && memcmp(again + 7, "reached", 7) == 0);
    MUST(close(fd) == 0);
    SAY(msync(map, UNIT, MS_SYNC));
    memcpy(map, "after the close", 15);
    MUST(memcmp(again, "after the close", 15) == 0);
    MUST(munmap(map, UNIT + 50) == 0 && munmap(again, UNIT) == 0);
}

// A file that has no path any more, and one that has another.
static void unnamed(const char *directory_has) {
    make("f", UNIT);
    make("other", 100);
    int fd = file("f", O_RDWR), dir = file(".", O_RDONLY | O_DIRECTORY);
    MUST(unlinkat(dir, "f", 0) == 0);
    uint8_t *map = mmap(NULL, UNIT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(map != MAP_FAILED && is_nth(map, 0, UNIT));
    int second = file("other", O_RDWR);
    MUST(renameat(dir, "other", dir, directory_has) == 0);
    uint8_t *renamed = mmap(NULL, 100, PROT_READ | PROT_WRITE, MAP_SHARED, second, 0);
    MUST(renamed != MAP_FAILED && is_nth(renamed, 0, 100));
    memcpy(renamed, "renamed", 7);
    memcpy(map, "unlinked", 8);
    char read[9] = "";
    MUST(pread(fd, read, 8, 0) == 8);
    puts(read);
}

static void memory(void) {
    for (int k = 0; k < 3; k++) {
        uint8_t *map =
            mmap(NULL, 3 * UNIT + 5, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        MUST(map != MAP_FAILED && is_zero(map, 3 * UNIT + 5));
        memset(map, 'x', 3 * UNIT + 5);
        SAY(madvise(map + UNIT, UNIT, MADV_DONTNEED));
        MUST(map[UNIT - 1] == 'x' && is_zero(map + UNIT, UNIT) && map[2 * UNIT] == 'x');
        MUST(munmap(map, 3 * UNIT + 5) == 0);
    }
    int shared = MAP_SHARED | MAP_ANONYMOUS;
    uint8_t *kept = mmap(NULL, UNIT, PROT_READ | PROT_WRITE, shared, -1, 0);
    MUST(kept != MAP_FAILED);
    memset(kept, 'x', UNIT);
    SAY(madvise(kept, UNIT, MADV_DONTNEED));
    MUST(kept[0] == 'x' && kept[UNIT - 1] == 'x');
    MUST(munmap(kept, UNIT) == 0);
    uint8_t *reserved = mmap(NULL, 8 * UNIT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(reserved != MAP_FAILED);
    SAY(mprotect(reserved + UNIT, UNIT, PROT_READ | PROT_WRITE));
    MUST(is_zero(reserved + UNIT, UNIT));
    reserved[UNIT] = 1;
    MUST(munmap(reserved, 8 * UNIT) == 0);
}

bool maps(const char *name) {
    if (strcmp(name, "reads") == 0) {
        reads();
    } else if (strcmp(name, "stores-stay") == 0) {
        stores_stay();
    } else if (strcmp(name, "stores-reach") == 0) {
        stores_reach();
    } else if (strcmp(name, "unnamed") == 0) {
        unnamed("moved");
    } else if (strcmp(name, "memory") == 0) {
        memory();
    } else {
        return false;
    }
    return true;
}
