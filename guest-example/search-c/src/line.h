// A line as it can be shown on a terminal, whatever bytes it has.

#ifndef LINE_H
#define LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Prints it. What isn't printable, or isn't UTF-8, becomes \xNN, and what only steers the
// terminal or the direction of the text becomes \u{..}. `cut_before` and `cut_after` say that
// there is more of the line on that side, so that half a character may stand there.
void print_line(const uint8_t *text, size_t length, bool cut_before, bool cut_after);

#endif
