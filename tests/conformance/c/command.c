#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int digit(uint8_t byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return -1;
}

// The value of two hexadecimal digits, or -1. A NUL ends every buffer, so that both are there.
static int pair(const uint8_t *digits) {
    int high = digit(digits[0]);
    int low = high < 0 ? -1 : digit(digits[1]);
    return low < 0 ? -1 : high << 4 | low;
}

void words_bad(words *w, const char *format, ...) {
    if (w->bad[0] != '\0') return;
    va_list args;
    va_start(args, format);
    vsnprintf(w->bad, sizeof w->bad, format, args);
    va_end(args);
}

// Memory, which there is.
static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL) abort();
    return memory;
}

words words_split(const uint8_t *line, size_t length) {
    words w = {0};
    // Each word is shorter than what it is written in, and each has its NUL.
    w.buffer = allocate(2 * length + 2, 1);
    w.list = allocate(length / 2 + 1, sizeof *w.list);
    uint8_t *source = allocate(length + 2, 1);
    memcpy(source, line, length);

    uint8_t *out = w.buffer;
    bytes *word = NULL; // between words
    bool quoted = false;
    for (size_t at = 0; at < length; at++) {
        uint8_t byte = source[at];
        if (byte == ' ' && !quoted) {
            if (word != NULL) *out++ = '\0';
            word = NULL;
            continue;
        }
        if (word == NULL) {
            word = &w.list[w.count++];
            word->bytes = out;
        }
        if (byte == '"') {
            quoted = !quoted;
            continue;
        }
        if (byte == '\\' && quoted) {
            byte = source[++at];
            if (byte == '0') {
                byte = '\0';
            } else if (byte == 'n') {
                byte = '\n';
            } else if (byte == 'x') {
                int value = pair(&source[at + 1]);
                if (value < 0) words_bad(&w, "an escape is none of \\0 \\n \\\" \\\\ \\xNN");
                byte = (uint8_t)value;
                at += 2;
            } else if (byte != '"' && byte != '\\') {
                words_bad(&w, "an escape is none of \\0 \\n \\\" \\\\ \\xNN");
            }
        }
        *out++ = byte;
        word->length++;
    }
    if (quoted) words_bad(&w, "a quote is not closed");
    free(source);
    return w;
}

void words_free(words *w) {
    free(w->list);
    free(w->buffer);
}

bool words_left(const words *w) {
    return w->bad[0] == '\0' && w->next < w->count;
}

static bytes next(words *w, const char *what) {
    if (words_left(w)) return w->list[w->next++];
    words_bad(w, "%s is missing", what);
    return (bytes){(uint8_t *)"", 0};
}

// Whether bytes are UTF-8: no encoding that is longer than need be, no surrogates, and nothing
// above U+10FFFF.
static bool is_utf8(bytes text) {
    for (size_t at = 0; at < text.length;) {
        uint8_t first = text.bytes[at++];
        if (first < 0x80) continue;
        size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
        if (first < 0xC2 || first > 0xF4 || text.length - at < more) return false;
        uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        for (; more > 0; more--, low = 0x80, high = 0xBF) {
            if (text.bytes[at] < low || text.bytes[at] > high) return false;
            at++;
        }
    }
    return true;
}

bytes words_text(words *w, const char *what) {
    bytes word = next(w, what);
    if (!is_utf8(word)) words_bad(w, "%s is not UTF-8", what);
    return word;
}

uint64_t number(words *w, const char *text) {
    bool hexadecimal = text[0] == '0' && text[1] == 'x';
    const char *digits = hexadecimal ? text + 2 : text;
    uint64_t base = hexadecimal ? 16 : 10, value = 0;
    bool good = *digits != '\0';
    for (; good && *digits != '\0'; digits++) {
        int next = digit((uint8_t)*digits);
        good = next >= 0 && (uint64_t)next < base
            && !__builtin_mul_overflow(value, base, &value)
            && !__builtin_add_overflow(value, (uint64_t)next, &value);
    }
    if (good) return value;
    words_bad(w, "%s is not a number of 64 bits", text);
    return 0;
}

uint64_t words_number(words *w, const char *what) {
    bytes word = next(w, what);
    return w->bad[0] == '\0' ? number(w, (const char *)word.bytes) : 0;
}

uint64_t *words_time(words *w, uint64_t *nanoseconds) {
    bytes time = words_text(w, "a time");
    if (is(time, "-")) return NULL;
    *nanoseconds = w->bad[0] == '\0' ? number(w, (const char *)time.bytes) * 1000000 : 0;
    return nanoseconds;
}

size_t one_of(words *w, const char *text, const char *const *names) {
    for (size_t index = 0; names[index] != NULL; index++) {
        if (strcmp(text, names[index]) == 0) return index;
    }
    words_bad(w, "%s is not what may stand there", text);
    return 0;
}

size_t words_one_of(words *w, const char *what, const char *const *names) {
    bytes word = next(w, what);
    return w->bad[0] == '\0' ? one_of(w, (const char *)word.bytes, names) : 0;
}

span *words_ranges(words *w, size_t *count) {
    bytes word = next(w, "a list of ranges");
    span *ranges = allocate(word.length / 2 + 1, sizeof *ranges);
    *count = 0;
    char *text = (char *)word.bytes;
    if (w->bad[0] != '\0' || strcmp(text, "-") == 0) return ranges;
    for (char *range = text; range != NULL;) {
        char *comma = strchr(range, ',');
        if (comma != NULL) *comma++ = '\0';
        char *plus = strchr(range, '+');
        if (plus == NULL) {
            words_bad(w, "%s is not OFFSET+LENGTH", range);
            break;
        }
        *plus = '\0';
        ranges[(*count)++] = (span){number(w, range), number(w, plus + 1)};
        range = comma;
    }
    return ranges;
}

bytes words_data(words *w) {
    bytes word = next(w, "data");
    const char *text = (const char *)word.bytes;
    bytes data = {0};
    if (strncmp(text, "text:", 5) == 0) {
        data.length = word.length - 5;
        data.bytes = allocate(data.length, 1);
        memcpy(data.bytes, word.bytes + 5, data.length);
        return data;
    }
    const char *colon = strncmp(text, "fill:", 5) == 0 ? strchr(text + 5, ':') : NULL;
    if (colon != NULL) {
        word.bytes[colon - text] = '\0';
        uint64_t byte = number(w, text + 5), length = number(w, colon + 1);
        if (byte > 0xFF || length > SIZE_MAX) {
            words_bad(w, "%s is too large", text);
            length = 0;
        }
        data.length = (size_t)length;
        data.bytes = allocate(data.length, 1);
        memset(data.bytes, (int)byte, data.length);
        return data;
    }
    data.bytes = allocate(word.length, 1);
    bool good = strncmp(text, "hex:", 4) == 0 && word.length % 2 == 0;
    for (size_t at = 4; good && at < word.length; at += 2) {
        int value = pair(&word.bytes[at]);
        good = value >= 0;
        data.bytes[data.length++] = (uint8_t)value;
    }
    if (!good) words_bad(w, "%s is not hex:.., fill:BYTE:LENGTH or text:..", text);
    return data;
}

bool words_end(words *w) {
    if (words_left(w)) words_bad(w, "\"%s\" is too much", (const char *)w->list[w->next].bytes);
    return w->bad[0] == '\0';
}

bool is(bytes word, const char *text) {
    return word.length == strlen(text) && memcmp(word.bytes, text, word.length) == 0;
}

uint64_t fnv(bytes data) {
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t at = 0; at < data.length; at++) hash = (hash ^ data.bytes[at]) * 0x100000001b3;
    return hash;
}
