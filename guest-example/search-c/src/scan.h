// The search itself.

#ifndef SCAN_H
#define SCAN_H

#include "mapped.h"

// What to look for, and how.
typedef struct {
    const uint8_t *pattern; // in lower case, if case is ignored
    size_t length;
    bool ignore_case, numbers, count_only;
    uint64_t window;    // new bytes to a window
    uint64_t max_lines; // stop a file after so many matching lines
} query;

// What was found.
typedef struct {
    uint64_t matches; // that don't overlap
    uint64_t lines;   // with at least one of them
    uint64_t scanned; // bytes
    uint64_t lines_here, scanned_here; // in the last file
} tally;

// Searches a file and prints its matching lines. What was found until an error is counted too.
mapped_status scan(const char *path, const query *query, tally *tally);

#endif
