// Pages of a mapped file in this program's own memory, from an offset on. Not every host has them, nor
// for each file (MAPPED_ENOTSUP, MAPPED_EACCES), nor for each guest (MAPPED_LIMIT_EXCEEDED).

#ifndef WINDOW_H
#define WINDOW_H

#include "mapped.h"

// What regions, and the offsets that windows begin at, are multiples of.
enum { WINDOW_UNIT = 1 << 16 };

// A window, or none if all of it is 0. The bytes are `data` and `length`; the rest is window.c's.
typedef struct {
    uint8_t *data;
    size_t length;
    size_t room; // how many bytes of a file the region may show
    volatile uint64_t *token_place;
    uint64_t token;
    int32_t handle;
} window;

// Shows `length` bytes from `offset` on, a multiple of WINDOW_UNIT. A window that was open stays where it
// is in memory; a new one gets room for `room` bytes. What is stored in a `shared` one reaches the file.
// After an error all is as it was.
mapped_status window_show(window *window, mapped_handle mapping, uint64_t offset, size_t length,
                          size_t room, bool shared);

// Was everything that was read so far really in the file? MAPPED_SIGBUS: a page was lost.
mapped_status window_check(const window *window);

// Takes the pages out, and frees the memory.
void window_close(window *window);

#endif
