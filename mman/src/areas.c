#include "areas.h"

#include <stdlib.h>
#include <string.h>

area *mm_areas;
size_t mm_area_count;
static size_t area_capacity;

// Pages that were had from the engine, lowest first.
typedef struct {
    uintptr_t start, end;
} span;

static span *spans;
static size_t span_count;

size_t mm_area_at(uintptr_t address) {
    size_t low = 0, high = mm_area_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (mm_areas[middle].end > address) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

bool mm_area_room(size_t more) {
    size_t wanted = mm_area_count + more;
    if (wanted <= area_capacity) return true;
    size_t capacity = wanted < 16 ? 16 : wanted * 2;
    area *larger = realloc(mm_areas, capacity * sizeof(area));
    if (larger == NULL) return false;
    mm_areas = larger;
    area_capacity = capacity;
    return true;
}

void mm_area_add(area new) {
    size_t index = mm_area_at(new.start);
    memmove(&mm_areas[index + 1], &mm_areas[index], (mm_area_count - index) * sizeof(area));
    mm_areas[index] = new;
    mm_area_count++;
}

void mm_area_remove(size_t index) {
    mm_area_count--;
    memmove(&mm_areas[index], &mm_areas[index + 1], (mm_area_count - index) * sizeof(area));
}

void mm_area_cut(uintptr_t address) {
    size_t index = mm_area_at(address);
    if (index == mm_area_count || mm_areas[index].start >= address) return;
    area rear = mm_areas[index];
    rear.start = address;
    mm_areas[index].end = address;
    mm_area_add(rear);
}

bool mm_area_all_mapped(uintptr_t start, uintptr_t end) {
    for (size_t i = mm_area_at(start); start < end; i++) {
        if (i == mm_area_count || mm_areas[i].start > start || mm_areas[i].kind == HELD)
            return false;
        start = mm_areas[i].end;
    }
    return true;
}

bool mm_area_owned(uintptr_t start, uintptr_t end) {
    for (size_t i = 0; i < span_count; i++) {
        if (spans[i].start <= start && end <= spans[i].end) return true;
    }
    return false;
}

static size_t memory_size(void) {
    // Of all of 4 GiB it would be 0, and then the last page is no map's.
    size_t pages = __builtin_wasm_memory_size(0);
    return pages == (size_t)1 << 16 ? SIZE_MAX - PAGE + 1 : pages * PAGE;
}

bool mm_area_range(const void *address, size_t length, uintptr_t *start, uintptr_t *end) {
    size_t size = memory_size();
    *start = *end = (uintptr_t)address;
    if (*start % PAGE != 0 || *start > size || length > size - *start) return false;
    *end = *start + (length + PAGE - 1) / PAGE * PAGE;
    return true;
}

// Where in a span there are so many bytes that no area has. If nowhere, then 0, and where the free
// bytes at its end begin.
static uintptr_t gap(span in, size_t length, uintptr_t *tail) {
    uintptr_t at = in.start;
    for (size_t i = mm_area_at(at); i < mm_area_count && mm_areas[i].start < in.end; i++) {
        if (mm_areas[i].start - at >= length) return at;
        at = mm_areas[i].end;
    }
    *tail = at;
    return in.end - at >= length ? at : 0;
}

uintptr_t mm_area_find(size_t length, uintptr_t *fresh) {
    uintptr_t tail = 0;
    for (size_t i = 0; i < span_count; i++) {
        uintptr_t found = gap(spans[i], length, &tail);
        if (found != 0) {
            *fresh = found + length;
            return found;
        }
    }
    // First this, which may itself make memory larger.
    span *more = realloc(spans, (span_count + 1) * sizeof(span));
    if (more == NULL) return 0;
    spans = more;
    size_t size = memory_size();
    bool joins = span_count > 0 && spans[span_count - 1].end == size;
    uintptr_t start = joins ? tail : size;
    if (size > SIZE_MAX - PAGE - length) return 0;
    size_t pages = (length - (size - start)) / PAGE;
    if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX) return 0;
    if (joins) {
        spans[span_count - 1].end = start + length;
    } else {
        spans[span_count++] = (span){start, start + length};
    }
    *fresh = size;
    return start;
}
