// Exercises mmap(2), natively and in a component: `mman CHECK DIR`. A check prints what it saw.
// What POSIX says alone is held to what the system prints of the same program.

#include "mman.h"

static const char *directory;

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    directory = argv[2];
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *name = argv[1];
    if (!errors(name) && !maps(name) && !hostile(name) && !host(name)) {
        fprintf(stderr, "there is no check `%s`\n", name);
        return 2;
    }
    puts("done");
    return 0;
}

static const struct {
    int error;
    const char *name;
} NAMES[] = {
    {0, "ok"},          {EACCES, "EACCES"},   {EAGAIN, "EAGAIN"}, {EBADF, "EBADF"},
    {EEXIST, "EEXIST"}, {EINVAL, "EINVAL"},   {EIO, "EIO"},       {EMFILE, "EMFILE"},
    {ENODEV, "ENODEV"}, {ENOMEM, "ENOMEM"},   {ENXIO, "ENXIO"},   {EOVERFLOW, "EOVERFLOW"},
    {EPERM, "EPERM"},   {ENOTSUP, "ENOTSUP"},
};

void say(const char *what, int error) {
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (NAMES[i].error == error) {
            printf("%s: %s\n", what, NAMES[i].name);
            return;
        }
    }
    printf("%s: %s\n", what, strerror(error));
}

void say_map(const char *what, void *map) {
    say(what, map == MAP_FAILED ? errno : 0);
    if (map != MAP_FAILED) munmap(map, page());
}

void must(bool is, const char *what, const char *file, int line) {
    if (is) return;
    fprintf(stderr, "%s:%d: not so: %s (errno %d, %s)\n", file, line, what, errno, strerror(errno));
    exit(1);
}

size_t page(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

int file(const char *name, int flags) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, flags, 0600);
    MUST(fd >= 0);
    return fd;
}

uint8_t *whole(const char *name, int open_flags, int prot, int flags, size_t *length) {
    int fd = file(name, open_flags);
    struct stat stat;
    MUST(fstat(fd, &stat) == 0);
    *length = (size_t)stat.st_size;
    uint8_t *map = mmap(NULL, *length, prot, flags, fd, 0);
    MUST(map != MAP_FAILED);
    // The map stays.
    MUST(close(fd) == 0);
    return map;
}

uint8_t nth(uint64_t k) {
    uint64_t mixed = (k + 1) * 0x9e3779b97f4a7c15u;
    return (uint8_t)(mixed >> 56);
}

void make(const char *name, size_t length) {
    int fd = file(name, O_CREAT | O_TRUNC | O_WRONLY);
    uint8_t *bytes = malloc(length);
    MUST(bytes != NULL);
    for (size_t k = 0; k < length; k++) bytes[k] = nth(k);
    MUST(write(fd, bytes, length) == (ssize_t)length);
    free(bytes);
    close(fd);
}

bool is_nth(const uint8_t *bytes, uint64_t from, size_t length) {
    for (size_t k = 0; k < length; k++) {
        if (bytes[k] != nth(from + k)) return false;
    }
    return true;
}

bool is_zero(const uint8_t *bytes, size_t length) {
    for (size_t k = 0; k < length; k++) {
        if (bytes[k] != 0) return false;
    }
    return true;
}

// The same numbers everywhere.
uint32_t draw(uint32_t below) {
    static uint64_t state = 20261126;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

void wait_for_others(const char *what) {
    puts(what);
    int got = getchar();
    MUST(got == '\n');
}
