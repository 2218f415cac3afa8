// What <sys/mman.h> has no words for: pages that were lost, and maps that are copies.

#ifndef IOMMAP_MMAN_H
#define IOMMAP_MMAN_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Has any map of this program lost a page so far? Where a file was cut short, or its device failed,
// there is no SIGBUS: there are zeros from that page to the map's end. So whoever must know asks
// after reading, and before believing. It costs a load for each map of a file.
bool iommap_lost(void);

// The same of the map that has this address. False where there is no map.
bool iommap_lost_at(const void *);

// How many bytes of the maps that are there now are copies, for want of windows.
size_t iommap_copied(void);

#ifdef __cplusplus
}
#endif

#endif
