// What is refused, and by which errno.

#include "mman.h"

static void of_mmap(void) {
    size_t p = page();
    make("f", 3 * UNIT + 100);
    int r = file("f", O_RDONLY), w = file("f", O_WRONLY), rw = file("f", O_RDWR);
    int dir = file(".", O_RDONLY | O_DIRECTORY);
    int gone = file("f", O_RDONLY);
    close(gone);
    const int R = PROT_READ, RW = PROT_READ | PROT_WRITE;
    const int S = MAP_SHARED, P = MAP_PRIVATE, A = MAP_PRIVATE | MAP_ANONYMOUS;
    const off_t END = INT64_MAX - INT64_MAX % UNIT;

    SAY_MAP((NULL, p, R, P, r, 0));
    SAY_MAP((NULL, p, R, S, r, 0));
    SAY_MAP((NULL, p, RW, P, r, 0));
    SAY_MAP((NULL, p, RW, S, rw, 0));
    SAY_MAP((NULL, p, PROT_NONE, S, r, 0));
    SAY_MAP((NULL, p, R, S, r, 3 * UNIT));
    SAY_MAP((NULL, p, RW, A, -1, 0));
    SAY_MAP((NULL, p, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    SAY_MAP((NULL, p, PROT_NONE, A | MAP_NORESERVE | MAP_STACK, -1, 0));
    SAY_MAP((NULL, p, R, P | MAP_POPULATE, r, 0));
    SAY_MAP((NULL, p, R, MAP_SHARED_VALIDATE, r, 0));

    SAY_MAP((NULL, 0, R, P, r, 0));
    SAY_MAP((NULL, 0, RW, A, -1, 0));
    SAY_MAP((NULL, p, R, 0, r, 0));
    SAY_MAP((NULL, p, R, P, r, 1));
    SAY_MAP((NULL, p, R, P, r, UNIT + 8));
    SAY_MAP((NULL, p, R, P, r, -UNIT));
    SAY_MAP((NULL, 2 * UNIT, R, P, r, END));
    SAY_MAP((NULL, p, R, P, -1, 0));
    SAY_MAP((NULL, p, R, P, gone, 0));
    SAY_MAP((NULL, p, R, P, 12345, 0));
    SAY_MAP((NULL, p, R, P, dir, 0));
    SAY_MAP((NULL, p, R, P, w, 0));
    SAY_MAP((NULL, p, R, S, w, 0));
    SAY_MAP((NULL, p, PROT_WRITE, S, w, 0));
    SAY_MAP((NULL, p, RW, S, r, 0));
    SAY_MAP((NULL, SIZE_MAX, RW, A, -1, 0));
    SAY_MAP((NULL, SIZE_MAX - p + 1, RW, A, -1, 0));
    SAY_MAP((NULL, SIZE_MAX, R, P, r, 0));

    char *at = mmap(NULL, 2 * UNIT, RW, A, -1, 0);
    MUST(at != MAP_FAILED);
    SAY_MAP((at + 1, p, RW, A | MAP_FIXED, -1, 0));
    SAY_MAP((at, p, RW, A | MAP_FIXED_NOREPLACE, -1, 0));
    SAY_MAP((at, p, RW, A | MAP_FIXED, -1, 0));
    SAY_MAP((at, p, RW, A | MAP_FIXED_NOREPLACE, -1, 0));
    // A place that is only wished for.
    SAY_MAP((at + 1, p, RW, A, -1, 0));
}

static void of_others(void) {
    size_t p = page();
    make("f", UNIT);
    size_t length;
    char *map = (char *)whole("f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED, &length);
    char *gone = mmap(NULL, UNIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(gone != MAP_FAILED);
    SAY(munmap(gone, 0));
    SAY(munmap(gone + 1, p));
    SAY(munmap(gone, SIZE_MAX - p));
    SAY(munmap(gone, UNIT));
    SAY(munmap(gone, UNIT));

    SAY(msync(map, UNIT, MS_SYNC));
    SAY(msync(map, UNIT, MS_ASYNC));
    SAY(msync(map, 1, MS_SYNC | MS_INVALIDATE));
    SAY(msync(map, 0, MS_SYNC));
    SAY(msync(map + 8, UNIT, MS_SYNC));
    SAY(msync(map, UNIT, MS_SYNC | MS_ASYNC));
    SAY(msync(map, UNIT, 1 << 9));
    SAY(msync(gone, UNIT, MS_SYNC));

    SAY(madvise(map, UNIT, MADV_NORMAL));
    SAY(madvise(map, UNIT, MADV_RANDOM));
    SAY(madvise(map, UNIT, MADV_SEQUENTIAL));
    SAY(madvise(map, UNIT, MADV_WILLNEED));
    SAY(madvise(map, UNIT, MADV_DONTNEED));
    SAY(madvise(map, 0, MADV_NORMAL));
    SAY(madvise(map + 8, p, MADV_NORMAL));
    SAY(madvise(map, UNIT, 12345));
    SAY(madvise(gone, UNIT, MADV_NORMAL));
    say("posix_madvise willneed", posix_madvise(map, UNIT, POSIX_MADV_WILLNEED));
    say("posix_madvise dontneed", posix_madvise(map, UNIT, POSIX_MADV_DONTNEED));
    say("posix_madvise unaligned", posix_madvise(map + 8, UNIT, POSIX_MADV_NORMAL));
    say("posix_madvise unknown", posix_madvise(map, UNIT, 12345));
    say("posix_madvise unmapped", posix_madvise(gone, UNIT, POSIX_MADV_NORMAL));

    SAY(mprotect(map, UNIT, PROT_READ | PROT_WRITE));
    SAY(mprotect(map + 8, UNIT, PROT_READ | PROT_WRITE));
    SAY(mprotect(gone, UNIT, PROT_READ | PROT_WRITE));
    SAY(mlock(gone, UNIT));
    SAY(munlock(gone, UNIT));
    SAY(munlock(map, UNIT));
}

bool errors(const char *name) {
    if (strcmp(name, "errors-of-mmap") == 0) {
        of_mmap();
    } else if (strcmp(name, "errors-of-others") == 0) {
        of_others();
    } else {
        return false;
    }
    return true;
}
