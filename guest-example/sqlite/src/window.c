#include "window.h"

#include "sqlite.h" // what wit-bindgen made of wit/sqlite.wit

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static mapped_status failed(iommap_mmap_windows_error_code_t *error) {
    mapped_status status = (mapped_status)(error->tag + 1);
    iommap_mmap_windows_error_code_free(error);
    return status;
}

static iommap_mmap_windows_borrow_mapping_t source(mapped_handle mapping) {
    return iommap_mmap_types_borrow_mapping((iommap_mmap_types_own_mapping_t){mapping});
}

static iommap_mmap_windows_borrow_window_t borrowed(const window *window) {
    return iommap_mmap_windows_borrow_window((iommap_mmap_windows_own_window_t){window->handle});
}

// Not 0, and another each time, so that it is in no other memory by chance.
static uint64_t new_token(const uint8_t *region) {
    uint64_t random;
    if (getentropy(&random, sizeof random) != 0) random = 0;
    return (random ^ (uintptr_t)region) | 1;
}

static mapped_status open_new(window *window, mapped_handle mapping, uint64_t offset, size_t length,
                              size_t room, iommap_mmap_windows_window_flags_t flags) {
    if (room < length) room = length;
    if (room > SIZE_MAX - 2 * (size_t)WINDOW_UNIT) return MAPPED_ENOMEM;
    // The file takes whole pages of the host's, of a unit at most; behind them is the token.
    room = (room + WINDOW_UNIT - 1) / WINDOW_UNIT * WINDOW_UNIT;
    size_t whole = room + WINDOW_UNIT;
    uint8_t *region = aligned_alloc(WINDOW_UNIT, whole);
    if (region == NULL) return MAPPED_ENOMEM;

    uint64_t token = new_token(region);
    volatile uint64_t *token_place = (volatile uint64_t *)(region + whole - sizeof(uint64_t));
    *token_place = token;
    iommap_mmap_windows_region_t place = {(uintptr_t)region, whole, token};
    iommap_mmap_windows_own_window_t own;
    iommap_mmap_windows_error_code_t error;
    if (!iommap_mmap_windows_static_window_open(source(mapping), offset, length, &place, flags, &own,
                                                &error)) {
        free(region);
        return failed(&error);
    }
    window->data = region;
    window->length = length;
    window->room = room;
    window->token = token;
    window->token_place = token_place;
    window->handle = own.__handle;
    return MAPPED_OK;
}

mapped_status window_show(window *window, mapped_handle mapping, uint64_t offset, size_t length,
                          size_t room, bool shared) {
    iommap_mmap_windows_window_flags_t flags = shared ? IOMMAP_MMAP_WINDOWS_WINDOW_FLAGS_SHARED : 0;
    if (window->data == NULL) return open_new(window, mapping, offset, length, room, flags);
    if (length > window->room) return MAPPED_BADARG;
    bool lost = window_check(window) != MAPPED_OK;
    *window->token_place = window->token;
    iommap_mmap_windows_error_code_t error;
    if (!iommap_mmap_windows_method_window_move_to(borrowed(window), source(mapping), offset, length,
                                                   flags, &error)) {
        if (lost) *window->token_place = 0;
        return failed(&error);
    }
    window->length = length;
    return MAPPED_OK;
}

mapped_status window_check(const window *window) {
    // What the caller read it must have read before. A compiler of C is told by a fence; one of wasm by a
    // store of something new, after which it doesn't know what memory holds.
    static volatile unsigned looks;
    atomic_signal_fence(memory_order_seq_cst);
    looks = looks + 1;
    return *window->token_place == window->token ? MAPPED_OK : MAPPED_SIGBUS;
}

void window_close(window *window) {
    if (window->data == NULL) return;
    iommap_mmap_windows_error_code_t error;
    bool ours = iommap_mmap_windows_method_window_close(borrowed(window), &error);
    iommap_mmap_windows_window_drop_own((iommap_mmap_windows_own_window_t){window->handle});
    if (ours) {
        free(window->data);
    } else {
        // The host could not take its pages out: the memory is never used again.
        failed(&error);
    }
    window->data = NULL;
    window->length = 0;
}
