// Windows, as maps have them.

#ifndef WINDOW_H
#define WINDOW_H

#include "areas.h"

struct window {
    window *next;
    uintptr_t start; // of the region that it has
    uintptr_t end;
    volatile uint64_t *token_place;
    uint64_t token;
    uint64_t inode;
    uint64_t offset; // in the file
    size_t shown;    // how many bytes of the file it shows
    size_t mapped;   // how many bytes of mm_areas still show it
    int32_t handle;
    int32_t file;   // the mapping, if stores reach the file: to sync it
    int32_t locked; // a mapping that keeps the file in memory
    bool written;
    bool has_lock;
};

// A file, mapped by the host, and what a window shows of it.
typedef struct {
    int32_t file;
    uint64_t inode;
    uint64_t offset;
    size_t shown;
    bool written; // stores are to reach the file
    bool populate;
} source;

// Shows the source in a region that no area has, with a page behind what it shows for the token.
// The file is the window's afterwards, or closed. Returns an errno, and then the file is the
// caller's still.
int mm_window_open(const source *from, uintptr_t start, uintptr_t end, window **opened);

// Takes it out of memory, and its areas out of the list. If the host can't, its areas stay HELD.
void mm_window_close(window *this);

// Makes a copy of what it shows, in the same place, where stores into it do not reach the file.
// Returns an errno: EIO, and nothing has changed, if it has lost a page.
int mm_window_copy(window *this);

// Did it lose a page?
bool mm_window_lost(const window *this);

#endif
