#include "line.h"

#include <stdio.h>

// The length of the character that begins here, or 0 if this is not UTF-8.
static size_t character(const uint8_t *text, size_t left, uint32_t *code) {
    uint8_t first = text[0];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || left < length) return 0;
    uint32_t value = first & (0x7Fu >> length);
    for (size_t at = 1; at < length; at++) {
        if ((text[at] & 0xC0) != 0x80) return 0;
        value = value << 6 | (text[at] & 0x3F);
    }
    static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
    bool surrogate = value >= 0xD800 && value < 0xE000;
    if (value < LEAST[length] || value > 0x10FFFF || surrogate) return 0;
    *code = value;
    return length;
}

// How many bytes at the beginning are the rest of a character that was cut.
static size_t leading_rest(const uint8_t *text, size_t length) {
    size_t rest = 0;
    while (rest < 3 && rest < length && (text[rest] & 0xC0) == 0x80) rest++;
    return rest;
}

// How many bytes at the end are the beginning of a character that was cut.
static size_t trailing_rest(const uint8_t *text, size_t length) {
    for (size_t back = 1; back <= 3 && back <= length; back++) {
        uint8_t byte = text[length - back];
        if ((byte & 0xC0) == 0x80) continue;
        size_t needed = byte < 0xC2 || byte > 0xF4 ? 0 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
        return needed > back ? back : 0;
    }
    return 0;
}

void print_line(const uint8_t *text, size_t length, bool cut_before, bool cut_after) {
    if (cut_before) {
        size_t rest = leading_rest(text, length);
        text += rest;
        length -= rest;
        fputs("…", stdout);
    }
    if (cut_after) length -= trailing_rest(text, length);
    while (length > 0) {
        uint32_t code;
        size_t size = character(text, length, &code);
        if (size == 0) {
            printf("\\x%02x", text[0]);
            size = 1;
        } else if (code != '\t' && (code < 0x20 || code == 0x7F)) {
            printf("\\x%02x", (unsigned)code);
        } else if ((code >= 0x80 && code < 0xA0) || (code >= 0x202A && code <= 0x202E)
                   || (code >= 0x2066 && code <= 0x2069)) {
            printf("\\u{%x}", (unsigned)code);
        } else {
            fwrite(text, 1, size, stdout);
        }
        text += size;
        length -= size;
    }
    if (cut_after) fputs("…", stdout);
}
