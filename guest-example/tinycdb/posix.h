// What tinycdb calls and wasi-libc lacks.
#ifdef __wasi__
#include <sys/types.h>
// Files are made with the host's mask.
static inline mode_t umask(mode_t mask) {
    (void)mask;
    return 022;
}
#endif
