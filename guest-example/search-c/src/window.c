#include "window.h"

#include "search.h" // what wit-bindgen made of wit/search.wit

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

// What regions, and the offsets that windows begin at, are multiples of.
enum { UNIT = 1 << 16 };

// Where a range lies in its window: so many bytes behind its beginning.
static size_t skipped(uint64_t offset) {
    return (size_t)(offset % UNIT);
}

static mapped_status failed(iommap_mmap_windows_error_code_t *error) {
    mapped_status status = (mapped_status)(error->tag + 1);
    iommap_mmap_windows_error_code_free(error);
    return status;
}

static iommap_mmap_windows_borrow_mapping_t source(const mapped_file *file) {
    return iommap_mmap_types_borrow_mapping((iommap_mmap_types_own_mapping_t){file->handle});
}

static iommap_mmap_windows_borrow_window_t borrowed(const mapped_window *window) {
    return iommap_mmap_windows_borrow_window((iommap_mmap_windows_own_window_t){window->handle});
}

// Is the token where it was put: was no page lost?
//
// What the caller read it must have read before, and two compilers might have it otherwise. Ours is
// told by a fence. A compiler of wasm knows that nobody else changes memory, and would look once for
// all: so there is a store of something new before each look, after which it doesn't know.
static bool whole(const mapped_window *window) {
    static volatile unsigned looks;
    atomic_signal_fence(memory_order_seq_cst);
    looks = looks + 1;
    return *window->token_place == window->token;
}

// Not 0, and another each time, so that it is in no other memory by chance.
static uint64_t new_token(const uint8_t *region) {
    uint64_t random;
    if (getentropy(&random, sizeof random) != 0) random = 0;
    return (random ^ (uintptr_t)region) | 1;
}

mapped_status window_open(mapped_window *window, const mapped_file *file, uint64_t offset,
                          size_t length, size_t room) {
    size_t skip = skipped(offset);
    // Wherever the window is moved to, it begins less than a unit before what is asked for. The file
    // takes whole pages of the host's, of a unit at most; behind them there is room for the token.
    if (room < length) room = length;
    if (room > SIZE_MAX - 4 * (size_t)UNIT) return MAPPED_ENOMEM;
    size_t shown = (room + 2 * UNIT - 1) / UNIT * UNIT;
    size_t whole_length = shown + UNIT;
    uint8_t *region = aligned_alloc(UNIT, whole_length);
    if (region == NULL) return MAPPED_ENOMEM;

    *window = (mapped_window){.region = region, .room = shown};
    window->token = new_token(region);
    window->token_place = (volatile uint64_t *)(region + whole_length - sizeof(uint64_t));
    *window->token_place = window->token;
    iommap_mmap_windows_region_t place = {(uintptr_t)region, whole_length, window->token};
    iommap_mmap_windows_own_window_t own;
    iommap_mmap_windows_error_code_t error;
    if (!iommap_mmap_windows_static_window_open(source(file), offset - skip, skip + length, &place,
                                                0, &own, &error)) {
        free(region);
        *window = (mapped_window){0};
        return failed(&error);
    }
    window->handle = own.__handle;
    window->data = region + skip;
    window->length = length;
    return MAPPED_OK;
}

mapped_status window_move(mapped_window *window, const mapped_file *file, uint64_t offset,
                          size_t length) {
    size_t skip = skipped(offset);
    if (length > window->room - skip) return MAPPED_BADARG;
    bool lost = !whole(window);
    *window->token_place = window->token;
    iommap_mmap_windows_error_code_t error;
    if (!iommap_mmap_windows_method_window_move_to(borrowed(window), source(file), offset - skip,
                                                   skip + length, 0, &error)) {
        if (lost) *window->token_place = 0;
        return failed(&error);
    }
    window->data = window->region + skip;
    window->length = length;
    return MAPPED_OK;
}

mapped_status window_check(const mapped_window *window) {
    return whole(window) ? MAPPED_OK : MAPPED_SIGBUS;
}

void window_close(mapped_window *window) {
    iommap_mmap_windows_error_code_t error;
    bool ours = iommap_mmap_windows_method_window_close(borrowed(window), &error);
    iommap_mmap_windows_window_drop_own((iommap_mmap_windows_own_window_t){window->handle});
    if (ours) {
        free(window->region);
    } else {
        // The host could not take its pages out: the memory is never used again.
        failed(&error);
    }
    *window = (mapped_window){0};
}
