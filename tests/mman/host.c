// What is the host's to give, and what is answered otherwise than by a system's mmap(2).

#include "mman.h"

#ifdef __wasm__

#include <iommap/mman.h>

static const int RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS;

static void without(void) {
    make("f", UNIT + 10);
    int fd = file("f", O_RDWR);
    SAY_MAP((NULL, UNIT, RW, MAP_SHARED, fd, 0));
    SAY_MAP((NULL, UNIT, PROT_WRITE, MAP_SHARED, fd, 0));
    size_t length;
    uint8_t *shared = whole("f", O_RDONLY, PROT_READ, MAP_SHARED, &length);
    uint8_t *own = whole("f", O_RDONLY, RW, MAP_PRIVATE, &length);
    MUST(is_nth(shared, 0, length) && is_nth(own, 0, length) && is_zero(own + length, UNIT - 10));
    memset(own, 'x', length);
    MUST(is_nth(shared, 0, length));
    printf("%zu bytes are copies\n", iommap_copied());
    SAY(msync(own, length, MS_SYNC | MS_INVALIDATE));
    SAY(msync(shared, length, MS_SYNC));
    SAY(msync(shared, length, MS_SYNC | MS_INVALIDATE));
    SAY(mprotect(shared, length, RW));
    SAY(mlock(shared, length));
    MUST(munmap(shared, length) == 0 && munmap(own, length) == 0);
    printf("%zu bytes are copies\n", iommap_copied());
}

static void limits(void) {
    make("f", 3 * UNIT);
    int fd = file("f", O_RDWR);
    uint8_t *first = mmap(NULL, UNIT, RW, MAP_SHARED, fd, 0);
    MUST(first != MAP_FAILED);
    SAY_MAP((NULL, UNIT, RW, MAP_SHARED, fd, UNIT));
    uint8_t *copy = mmap(NULL, UNIT, PROT_READ, MAP_SHARED, fd, UNIT);
    MUST(copy != MAP_FAILED && is_nth(copy, UNIT, UNIT));
    printf("%zu bytes are copies\n", iommap_copied());
    MUST(munmap(first, UNIT) == 0);
    SAY_MAP((NULL, UNIT, RW, MAP_SHARED, fd, UNIT));
    // There is no more memory than the host gives.
    SAY_MAP((NULL, (size_t)64 << 20, RW, ANON, -1, 0));
    SAY_MAP((NULL, (size_t)64 << 20, PROT_READ, MAP_PRIVATE, fd, 0));
}

static void refused(void) {
    make("f", 4 * UNIT + 1);
    int fd = file("f", O_RDWR);
    SAY_MAP((NULL, UNIT, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
    SAY_MAP((NULL, UNIT, RW, MAP_SHARED_VALIDATE | 0x800000, fd, 0));
    SAY_MAP((NULL, UNIT, 64, MAP_PRIVATE, fd, 0));
    // Behind the file's last page.
    SAY_MAP((NULL, 5 * UNIT, RW, MAP_SHARED, fd, 0));
    SAY_MAP((NULL, 5 * UNIT + 1, RW, MAP_SHARED, fd, 0));
    SAY_MAP((NULL, 5 * UNIT + 1, PROT_READ, MAP_SHARED, fd, 0));
    SAY_MAP((NULL, 1, PROT_READ, MAP_SHARED, fd, 8 * UNIT));
    uint8_t *long_one = mmap(NULL, 7 * UNIT, RW, MAP_PRIVATE, fd, 0);
    MUST(long_one != MAP_FAILED && is_nth(long_one, 0, 4 * UNIT + 1));
    MUST(is_zero(long_one + 4 * UNIT + 1, 3 * UNIT - 1));

    // Nothing keeps a program from memory, so nothing is said to.
    uint8_t *map = mmap(NULL, 2 * UNIT, RW, ANON, -1, 0);
    MUST(map != MAP_FAILED);
    SAY(mprotect(map, UNIT, PROT_READ));
    SAY(mprotect(map, UNIT, PROT_NONE));
    SAY(mprotect(map, UNIT, RW));
    SAY(mprotect(map, UNIT, RW | PROT_EXEC));
    uint8_t *reader = mmap(NULL, UNIT, PROT_READ, MAP_SHARED, fd, 0);
    MUST(reader != MAP_FAILED);
    SAY(mprotect(reader, UNIT, RW));
    // A store into it reaches nothing.
    reader[0] = (uint8_t)~nth(0);
    uint8_t byte;
    MUST(pread(fd, &byte, 1, 0) == 1 && byte == nth(0));
    SAY(madvise(long_one, UNIT, MADV_DONTNEED));

    // Half a map whose stores reach a file can't be replaced, and stays as it was.
    uint8_t *file_map = mmap(NULL, 4 * UNIT, RW, MAP_SHARED, fd, 0);
    MUST(file_map != MAP_FAILED);
    SAY_MAP((file_map + UNIT, UNIT, RW, ANON | MAP_FIXED, -1, 0));
    SAY_MAP((file_map + 2 * UNIT, 2 * UNIT, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0));
    // Nor the page behind it, which the map has for itself.
    SAY_MAP((file_map + 4 * UNIT, UNIT, RW, ANON | MAP_FIXED, -1, 0));
    MUST(is_nth(file_map, 0, 4 * UNIT));
    // Of other maps the other half becomes a copy.
    size_t copied = iommap_copied();
    uint8_t *other = mmap(NULL, 4 * UNIT, RW, MAP_PRIVATE, fd, 0);
    MUST(other != MAP_FAILED && iommap_copied() == copied);
    other[3 * UNIT] = 'x';
    MUST(mmap(other + UNIT, UNIT, RW, ANON | MAP_FIXED, -1, 0) == other + UNIT);
    MUST(is_nth(other, 0, UNIT) && is_zero(other + UNIT, UNIT) && other[3 * UNIT] == 'x');
    MUST(is_nth(other + 2 * UNIT, 2 * UNIT, UNIT) && iommap_copied() == copied + 3 * UNIT);
    MUST(munmap(other, 4 * UNIT) == 0 && iommap_copied() == copied);
    // Not the library's memory.
    static _Alignas(UNIT) uint8_t own[UNIT];
    SAY_MAP((own, UNIT, RW, ANON | MAP_FIXED, -1, 0));
    SAY_MAP(((void *)(SIZE_MAX - UNIT + 1), UNIT, RW, ANON | MAP_FIXED, -1, 0));
    // A map to be written to needs a page behind it that nobody has.
    uint8_t *tight = mmap(NULL, 3 * UNIT, RW, ANON, -1, 0);
    MUST(tight != MAP_FAILED);
    memset(tight + UNIT, 'x', UNIT);
    SAY_MAP((tight, UNIT, RW, MAP_SHARED | MAP_FIXED, fd, 0));
    MUST(tight[UNIT] == 'x' && tight[2 * UNIT - 1] == 'x');
}

static void locked(void) {
    make("f", 2 * UNIT);
    int fd = file("f", O_RDWR);
    uint8_t *map = mmap(NULL, 2 * UNIT, RW, MAP_SHARED, fd, 0);
    uint8_t *own = mmap(NULL, UNIT, RW, MAP_PRIVATE, fd, 0);
    uint8_t *memory = mmap(NULL, UNIT, RW, ANON, -1, 0);
    MUST(map != MAP_FAILED && own != MAP_FAILED && memory != MAP_FAILED);
    SAY(mlock(map + 100, 10));
    SAY(mlock(map, 2 * UNIT));
    SAY(munlock(map, 2 * UNIT));
    SAY(mlock(own, UNIT));
    SAY(mlock(memory, UNIT));
    SAY_MAP((NULL, UNIT, PROT_READ, MAP_SHARED | MAP_LOCKED, fd, 0));
    MUST(close(fd) == 0);
    SAY(mlock(map, UNIT));
    MUST(munmap(map, 2 * UNIT) == 0);
}

static void lost(void) {
    make("f", 4 * UNIT);
    make("whole", UNIT);
    size_t length, other_length;
    uint8_t *map = whole("f", O_RDWR, RW, MAP_SHARED, &length);
    uint8_t *other = whole("whole", O_RDONLY, PROT_READ, MAP_SHARED, &other_length);
    MUST(is_nth(map, 0, length) && !iommap_lost() && !iommap_lost_at(map));
    wait_for_others("cut it");
    MUST(is_nth(map, 0, UNIT) && !iommap_lost());
    MUST(is_zero(map + UNIT, 3 * UNIT));
    MUST(iommap_lost() && iommap_lost_at(map) && iommap_lost_at(map + 3 * UNIT + 5));
    MUST(!iommap_lost_at(other) && is_nth(other, 0, UNIT) && !iommap_lost_at(&length));
    SAY(msync(map, length, MS_SYNC));
    SAY(msync(other, UNIT, MS_SYNC));
    MUST(munmap(map, length) == 0);
    // That it was so stays known, and what is mapped anew is whole.
    MUST(iommap_lost());
    map = whole("f", O_RDWR, RW, MAP_SHARED, &length);
    MUST(length == UNIT && is_nth(map, 0, UNIT) && !iommap_lost_at(map));
    SAY(msync(map, length, MS_SYNC));
}

bool host(const char *name) {
    if (strcmp(name, "without") == 0) {
        without();
    } else if (strcmp(name, "limits") == 0) {
        limits();
    } else if (strcmp(name, "refused") == 0) {
        refused();
    } else if (strcmp(name, "locked") == 0) {
        locked();
    } else if (strcmp(name, "lost") == 0) {
        lost();
    } else {
        return false;
    }
    return true;
}

#else

bool host(const char *name) {
    (void)name;
    return false;
}

#endif
