// What the host is asked for, in terms of the component model's handles. Every function returns an
// errno, or 0.

#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What begins where, is so long, and ends with this.
typedef struct {
    uintptr_t address;
    size_t length;
    uint64_t token;
} host_region;

// Maps the file that the program has open with this inode number, whatever became of its path.
// `written`: stores are to reach it. `locked`: its pages are to stay in memory.
int mm_host_open_file(uint64_t inode, bool written, bool locked, int32_t *file, uint64_t *size);
void mm_host_close_file(int32_t file);
int mm_host_sync_file(int32_t file, uint64_t offset, uint64_t length, bool wait);

// Puts bytes of a file into a region. `shared`: stores reach the file.
int mm_host_open_window(int32_t file, uint64_t offset, uint64_t length, const host_region *region,
                        bool shared, bool populate, int32_t *window);
// Not 0: the pages are still there, and the memory must not be used again.
int mm_host_close_window(int32_t window);
int mm_host_prefetch(int32_t window, uint64_t offset, uint64_t length);

#endif
