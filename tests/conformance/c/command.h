// The language of the commands, without what they do.
//
// An error sticks: what makes no sense is noted in `words.bad`, what is read after it is empty,
// and `words_end` tells in the end whether all went well.

#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *bytes;
    size_t length;
} bytes;

// The rest of a command.
typedef struct {
    bytes *list;
    size_t count, next;
    uint8_t *buffer;
    char bad[160];
} words;

typedef struct {
    uint64_t offset, length;
} span;

// The words of a line, with quotes and escapes resolved. To be freed by `words_free`.
words words_split(const uint8_t *line, size_t length);
void words_free(words *w);

// Notes why the command makes no sense, unless something is noted already.
__attribute__((format(printf, 2, 3))) void words_bad(words *w, const char *format, ...);

bool words_left(const words *w);

// The next word, which is UTF-8: it ends in a NUL that is not counted, and may have NULs in it.
bytes words_text(words *w, const char *what);

uint64_t words_number(words *w, const char *what);

// The next word as nanoseconds, which are put into a place that is returned: it is milliseconds, or `-`
// for as long as it takes, which is NULL.
uint64_t *words_time(words *w, uint64_t *nanoseconds);

// The index of the next word in `names`, which ends with NULL.
size_t words_one_of(words *w, const char *what, const char *const *names);

// `OFFSET+LENGTH,OFFSET+LENGTH..`, or `-`. To be freed.
span *words_ranges(words *w, size_t *count);

// `hex:..`, `fill:BYTE:LENGTH` or `text:..`. To be freed.
bytes words_data(words *w);

// That nothing is left over, and that nothing was wrong.
bool words_end(words *w);

// The same for a text that is not a word of its own.
uint64_t number(words *w, const char *text);
size_t one_of(words *w, const char *text, const char *const *names);

// Whether a word is this text.
bool is(bytes word, const char *text);

// FNV-1a of 64 bits.
uint64_t fnv(bytes data);

#endif
