#include "window.h"

#include "host.h"
#include "iommap/mman.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// All that are open.
static window *first;

// Had one lost a page that is closed since?
static bool lost_before;

// Not 0, and another each time, so that it is in no other memory by chance.
static uint64_t new_token(uintptr_t start) {
    static uint64_t count;
    uint64_t random;
    if (getentropy(&random, sizeof random) != 0) random = 0;
    return (random ^ start ^ (++count << 32)) | 1;
}

int mm_window_open(const source *from, uintptr_t start, uintptr_t end, window **opened) {
    window *this = calloc(1, sizeof *this);
    if (this == NULL) return ENOMEM;
    this->start = start;
    this->end = end;
    this->token = new_token(start);
    this->token_place = (volatile uint64_t *)(end - sizeof(uint64_t));
    this->inode = from->inode;
    this->offset = from->offset;
    this->shown = from->shown;
    this->written = from->written;
    *this->token_place = this->token;
    host_region region = {start, end - start, this->token};
    int error = mm_host_open_window(from->file, from->offset, from->shown, &region, from->written,
                                    from->populate, &this->handle);
    if (error != 0) {
        *this->token_place = 0;
        free(this);
        return error;
    }
    this->file = from->file;
    if (!from->written) mm_host_close_file(from->file);
    this->next = first;
    first = this;
    *opened = this;
    return 0;
}

// Its areas are what is left. Returns whether the host took the pages out.
static bool end(window *this) {
    if (mm_window_lost(this)) lost_before = true;
    window **link = &first;
    while (*link != this) link = &(*link)->next;
    *link = this->next;
    if (this->written) mm_host_close_file(this->file);
    if (this->has_lock) mm_host_close_file(this->locked);
    bool gone = mm_host_close_window(this->handle) == 0;
    // Whoever gets this memory next shall not find a token in it.
    if (gone) *this->token_place = 0;
    return gone;
}

// The areas in its region: those that show it become copies if they may, and the rest is free.
static void release(window *this, bool gone, area_kind shown_as) {
    for (size_t i = mm_area_at(this->start); i < mm_area_count && mm_areas[i].start < this->end;) {
        area *each = &mm_areas[i];
        each->window = NULL;
        if (gone && each->kind == SHOWN) {
            each->kind = shown_as;
        } else if (gone && each->reserved) {
            each->kind = MEMORY;
            each->prot = PROT_NONE;
            each->reserved = false;
        } else if (gone) {
            mm_area_remove(i);
            continue;
        } else {
            each->kind = HELD;
        }
        i++;
    }
    free(this);
}

void mm_window_close(window *this) {
    release(this, end(this), HELD);
}

int mm_window_copy(window *this) {
    // What was stored behind the file's end, in its last page, is the program's as well.
    size_t shown = (this->shown + PAGE - 1) / PAGE * PAGE;
    uint8_t *bytes = malloc(shown);
    if (bytes == NULL) return ENOMEM;
    uint8_t *start = (uint8_t *)this->start;
    memcpy(bytes, start, shown);
    // A copy could not tell that it has zeros where pages were.
    if (mm_window_lost(this)) {
        free(bytes);
        return EIO;
    }
    bool gone = end(this);
    if (gone) memcpy(start, bytes, shown);
    release(this, gone, COPY);
    free(bytes);
    return gone ? 0 : ENOMEM;
}

// Is the token not where it was put any more?
//
// What the caller read it must have read before, and two compilers might have it otherwise. Ours is
// told by a fence. A compiler of wasm knows that nobody else changes memory, and would look once
// for all: so there is a store of something new before each look, after which it doesn't know.
bool mm_window_lost(const window *this) {
    static volatile unsigned looks;
    atomic_signal_fence(memory_order_seq_cst);
    looks = looks + 1;
    return *this->token_place != this->token;
}

bool iommap_lost(void) {
    for (const window *each = first; each != NULL && !lost_before; each = each->next) {
        if (mm_window_lost(each)) return true;
    }
    return lost_before;
}

bool iommap_lost_at(const void *address) {
    size_t i = mm_area_at((uintptr_t)address);
    bool there =
        i < mm_area_count && mm_areas[i].start <= (uintptr_t)address && mm_areas[i].kind == SHOWN;
    return there && mm_window_lost(mm_areas[i].window);
}

size_t iommap_copied(void) {
    size_t bytes = 0;
    for (size_t i = 0; i < mm_area_count; i++) {
        if (mm_areas[i].kind == COPY) bytes += mm_areas[i].end - mm_areas[i].start;
    }
    return bytes;
}
