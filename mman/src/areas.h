// The memory that maps are made in, and what lies where in it. It is had from the engine page by
// page, so that it is aligned and zero, and is kept for later maps when one goes.

#ifndef AREAS_H
#define AREAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A page, as `sysconf` says: every address and length below is a multiple of it.
#define PAGE ((size_t)1 << 16)

typedef struct window window;

typedef enum {
    MEMORY, // zeros of the program's own at first
    COPY,   // what a file had
    SHOWN,  // pages of a file
    HELD,   // not mapped, and not free while its window is there
} area_kind;

typedef struct {
    uintptr_t start, end;
    area_kind kind;
    int prot;
    bool shared;
    bool reserved;  // of HELD: it was memory without any access before, and becomes so again
    window *window; // of SHOWN and HELD
} area;

// Sorted, and none overlaps another. What changes it makes indexes and pointers into it invalid.
extern area *mm_areas;
extern size_t mm_area_count;

// The first area that ends behind an address, by its index.
size_t mm_area_at(uintptr_t address);

// Makes sure that so many more mm_areas can be added, so that a change can't fail half way.
bool mm_area_room(size_t more);

void mm_area_add(area new);
void mm_area_remove(size_t index);

// Makes an area that reaches across an address into two.
void mm_area_cut(uintptr_t address);

// Is every page of a range mapped?
bool mm_area_all_mapped(uintptr_t start, uintptr_t end);

// Is it all memory that was had for maps, whether there is one or not?
bool mm_area_owned(uintptr_t start, uintptr_t end);

// Is it a range of pages that lie in memory? Rounds the end up to a page's.
bool mm_area_range(const void *address, size_t length, uintptr_t *start, uintptr_t *end);

// Finds pages that no area has. From `*fresh` on they are zero. Returns 0 if there is no more
// memory.
uintptr_t mm_area_find(size_t length, uintptr_t *fresh);

#endif
