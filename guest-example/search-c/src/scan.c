// Finds a pattern in files of any size, reading them through windows of a mapping: the sample
// guest `search`, in C. The command line is in main.c.

#include "scan.h"

#include "window.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// How many bytes of a line are shown at most.
enum { SHOWN = 512 };

// A file of less than this is read before a window would be open.
enum { WORTH = 512 << 10 };

typedef struct {
    const char *path;
    const mapped_file *file;
    const query *query;
    tally *tally;
    // What is searched now: `data` begins at `base` in the file. It was read, or lies in `pages`.
    mapped_bytes window;
    uint64_t base;
    mapped_window pages;
    bool has_pages;
    // Where the current line begins, and its number, as far as `upto`.
    uint64_t line, number, upto;
    // Where the last line begins that was printed.
    uint64_t printed;
} scanner;

// Takes note of the line breaks below `to`.
static void advance(scanner *s, uint64_t to) {
    while (s->upto < to) {
        const uint8_t *from = s->window.data + (s->upto - s->base);
        const uint8_t *end = memchr(from, '\n', (size_t)(to - s->upto));
        if (end == NULL) {
            s->upto = to;
            return;
        }
        s->upto += (uint64_t)(end - from) + 1;
        s->line = s->upto;
        s->number++;
    }
}

// Prints the current line, around the match at `at` if it is too long.
static void print(scanner *s, uint64_t at) {
    if (s->query->count_only) return;
    size_t length = s->query->length;
    uint64_t from = s->line;
    if (at + length - from > SHOWN) {
        uint64_t lead = length >= SHOWN ? 0 : SHOWN - length;
        if (lead > SHOWN / 4) lead = SHOWN / 4;
        if (at > lead && at - lead > from) from = at - lead;
    }
    // Two more than are shown, so that a line break right behind them is seen.
    uint64_t to = from + SHOWN + 2;
    if (to > s->file->size) to = s->file->size;

    mapped_bytes read = {0};
    uint64_t end = s->base + s->window.length;
    const uint8_t *text;
    if (from >= s->base && to <= end) {
        text = s->window.data + (from - s->base);
    } else if (mapped_read(s->file, from, to - from, &read) == MAPPED_OK) {
        text = read.data;
    } else {
        // The file was cut a moment ago: show what there is of it.
        if (from < s->base) from = s->base;
        if (to > end) to = end;
        text = s->window.data + (from - s->base);
    }
    size_t shown = (size_t)(to - from);
    const uint8_t *newline = memchr(text, '\n', shown);
    bool cut_after = newline == NULL && to < s->file->size;
    if (newline != NULL) {
        shown = (size_t)(newline - text);
        if (shown > 0 && text[shown - 1] == '\r') shown--;
    }
    if (shown > SHOWN) {
        shown = SHOWN;
        cut_after = true;
    }
    printf("%s:", s->path);
    if (s->query->numbers) printf("%" PRIu64 ":", s->number);
    printf("%" PRIu64 ":", s->line);
    if (from > s->line) fputs("…", stdout);
    for (size_t at = 0; at < shown; at++) {
        // What would steer a terminal.
        if ((text[at] < ' ' && text[at] != '\t') || text[at] == 0x7F) {
            printf("\\x%02x", text[at]);
        } else {
            putchar(text[at]);
        }
    }
    fputs(cut_after ? "…\n" : "\n", stdout);
    mapped_free(&read);
}

// Has `window` hold the bytes from `base` to `end`: pages of the file where the host has windows, or
// else a copy.
static mapped_status show(scanner *s, uint64_t end) {
    size_t length = (size_t)(end - s->base);
    if (s->has_pages) {
        s->has_pages = window_move(&s->pages, s->file, s->base, length) == MAPPED_OK;
        if (!s->has_pages) window_close(&s->pages);
    } else if (s->base == 0 && s->file->size >= WORTH) {
        size_t room = (size_t)(s->query->window + s->query->length);
        s->has_pages = window_open(&s->pages, s->file, s->base, length, room) == MAPPED_OK;
    }
    if (!s->has_pages) return mapped_read(s->file, s->base, length, &s->window);
    s->window = (mapped_bytes){(uint8_t *)s->pages.data, length};
    return MAPPED_OK;
}

// Was all of it really in the file so far?
static mapped_status believed(const scanner *s) {
    return s->has_pages ? window_check(&s->pages) : MAPPED_OK;
}

static void hide(scanner *s) {
    if (!s->has_pages) mapped_free(&s->window);
    s->window = (mapped_bytes){0};
}

static uint8_t lower(uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

// Searches the window, whose matches are those that begin at `free` or behind it. Returns where
// the next match may begin, or `UINT64_MAX` if enough was found, or a page was lost.
static uint64_t search_window(scanner *s, const uint8_t *text, uint64_t free) {
    size_t length = s->query->length;
    const uint8_t *end = text + s->window.length;
    const uint8_t *from = text;
    for (;;) {
        const uint8_t *match = memmem(from, (size_t)(end - from), s->query->pattern, length);
        if (believed(s) != MAPPED_OK) return UINT64_MAX;
        if (match == NULL) return free;
        uint64_t at = s->base + (uint64_t)(match - text);
        advance(s, at);
        if (s->printed != s->line) {
            if (s->tally->lines_here == s->query->max_lines) return UINT64_MAX;
            print(s, at);
            s->printed = s->line;
            s->tally->lines_here++;
            s->tally->lines++;
        }
        s->tally->matches++;
        free = at + length;
        from = match + length;
    }
}

mapped_status scan(const char *path, const query *query, tally *tally) {
    tally->lines_here = tally->scanned_here = 0;
    mapped_file file;
    mapped_status status = mapped_open(&file, path);
    if (status != MAPPED_OK) return status;

    scanner s = {.path = path, .file = &file, .query = query, .tally = tally};
    s.number = 1;
    s.printed = UINT64_MAX;
    uint64_t free_from = 0; // the end of the last match
    uint8_t *folded = NULL;
    while (tally->scanned_here < file.size) {
        // In front of the new bytes, the last ones of the window before: one fewer than the
        // pattern is long, so that a match over the border is seen whole, and none twice.
        uint64_t scanned = tally->scanned_here;
        s.base = scanned < query->length ? 0 : scanned - (query->length - 1);
        if (s.base < free_from) s.base = free_from;
        uint64_t end = file.size - scanned < query->window ? file.size : scanned + query->window;
        status = show(&s, end);
        if (status != MAPPED_OK) break;

        const uint8_t *text = s.window.data;
        if (query->ignore_case) {
            folded = realloc(folded, s.window.length);
            if (folded == NULL) abort();
            for (size_t at = 0; at < s.window.length; at++) folded[at] = lower(text[at]);
            text = folded;
        }
        free_from = search_window(&s, text, free_from);
        bool enough = free_from == UINT64_MAX;
        if (!enough) advance(&s, end);
        status = believed(&s);
        hide(&s);
        if (status != MAPPED_OK || enough) break;
        tally->scanned_here = end;
    }
    if (s.has_pages) window_close(&s.pages);
    free(folded);
    tally->scanned += tally->scanned_here;
    mapped_close(&file);
    return status;
}
