// What QDBM takes for granted of a system, and wasi-libc has otherwise or not at all.
#ifdef __wasi__
#include <fcntl.h>

// QDBM looks in what it has opened a file with for a flag of its own, which has the value that `O_RDWR`
// has on every Unix.
enum { WASI_RDWR = O_RDWR };
#undef O_RDWR
#define O_RDWR 2
static inline int posix_open(const char *path, int flags, int mode) {
    return open(path, (flags & O_RDWR) != 0 ? (flags & ~O_RDWR) | WASI_RDWR : flags, mode);
}
#define open posix_open

// There are no locks of whole files: it is built with its own option for that, and still has the names.
enum { F_RDLCK, F_WRLCK };
#endif
