// What the checks have in common.

#ifndef MMAN_H
#define MMAN_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// What windows begin at multiples of, and a multiple of every system's page.
enum { UNIT = 1 << 16 };

// Prints what came of a call: `ok`, or errno's name.
#define SAY(call) say(#call, (errno = 0, (call)) == 0 ? 0 : errno)
#define SAY_MAP(...) say_map("mmap" #__VA_ARGS__, (errno = 0, mmap __VA_ARGS__))

// Ends the program where something is not so.
#define MUST(is) must(is, #is, __FILE__, __LINE__)

void say(const char *what, int error);
// The map is taken away again.
void say_map(const char *what, void *map);
void must(bool is, const char *what, const char *file, int line);

size_t page(void);
// Opens a file of DIR.
int file(const char *name, int flags);
// Maps all of a file.
uint8_t *whole(const char *name, int open_flags, int prot, int flags, size_t *length);
// Bytes that tell where in a file they are: its k-th.
uint8_t nth(uint64_t k);
void make(const char *name, size_t length);
bool is_nth(const uint8_t *bytes, uint64_t from, size_t length);
bool is_zero(const uint8_t *bytes, size_t length);
uint32_t draw(uint32_t below);
// Says that it is there, and waits until somebody says to go on.
void wait_for_others(const char *what);

// One for each file of checks: runs the one of this name if it is its own.
bool errors(const char *name);
bool maps(const char *name);
bool hostile(const char *name);
bool host(const char *name);

#endif
