// Pages of a mapped file in this program's own memory: read by plain loads, without a call and
// without a copy. Not every host has them, nor for each file (MAPPED_ENOTSUP,
// MAPPED_EACCES), nor for each guest (MAPPED_LIMIT_EXCEEDED): `mapped_read` does the same work.

#ifndef WINDOW_H
#define WINDOW_H

#include "mapped.h"

// A window. The bytes are `data` and `length`; the rest is window.c's.
typedef struct {
    const uint8_t *data;
    size_t length;
    uint8_t *region;
    size_t room; // how many bytes of a file the region may show
    volatile uint64_t *token_place;
    uint64_t token;
    int32_t handle;
} mapped_window;

// Shows `length` bytes of a file from `offset` on. The file may be closed afterwards. The window may
// be moved to as many bytes as `room`, wherever in a file they begin.
mapped_status window_open(mapped_window *window, const mapped_file *file, uint64_t offset,
                          size_t length, size_t room);

// Shows other bytes instead. It is as good as new then; after an error it is as it was.
mapped_status window_move(mapped_window *window, const mapped_file *file, uint64_t offset,
                          size_t length);

// Was everything that was read so far really in the file? A load cannot fail: where the file no
// longer backs a page there are zeros, to the window's end. So whoever reads asks before
// believing, at the cost of a load. MAPPED_SIGBUS: a page was lost since the window was opened or
// moved.
mapped_status window_check(const mapped_window *window);

// Makes the memory the program's own again, and frees it.
void window_close(mapped_window *window);

#endif
