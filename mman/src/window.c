#include "window.h"

#include "host.h"
#include "iommap/mman.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
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

void mm_window_close(window *this) {
    if (mm_window_lost(this)) lost_before = true;
    window **link = &first;
    while (*link != this) link = &(*link)->next;
    *link = this->next;
    if (this->written) mm_host_close_file(this->file);
    if (this->has_lock) mm_host_close_file(this->locked);
    bool gone = mm_host_close_window(this->handle) == 0;
    // Whoever gets this memory next shall not find a token in it.
    if (gone) *this->token_place = 0;
    for (size_t i = mm_area_at(this->start); i < mm_area_count && mm_areas[i].start < this->end;) {
        mm_areas[i].window = NULL;
        if (gone && mm_areas[i].reserved) {
            mm_areas[i].kind = MEMORY;
            mm_areas[i].prot = PROT_NONE;
        } else if (gone) {
            mm_area_remove(i);
            continue;
        }
        i++;
    }
    free(this);
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
