// What the files with the commands have in common: mappings by name, and answers.

#ifndef VERBS_H
#define VERBS_H

#include "command.h"
#include "driver.h"

typedef iommap_mmap_types_own_mapping_t own_mapping;
typedef iommap_mmap_types_borrow_mapping_t mapping;
typedef iommap_mmap_types_error_code_t error;

// A mapping and its name, and what is known of its file.
typedef struct {
    char *name;
    own_mapping mapping;
    bool known;
    iommap_mmap_changes_file_state_t state;
} entry;

// The mapping of a name, or NULL.
entry *find(bytes name);

// Where a mapping of this name may be put: its name is not there yet.
entry *place_for(words *w, bytes name);

// What a command is to answer: one of these.
typedef struct {
    bool failed;
    error error;
    // Of many mappings, which one failed.
    bool of_many;
    uint32_t index;
    enum { NOTHING, NUMBER, BYTES, WORD } kind;
    uint64_t number;
    const char *word;
    char text[80]; // what `word` may point to
    driver_list_u8_t bytes;
} answer;

// Each has the verbs of an interface, and is false for others.
bool run_atomics(bytes verb, words *w, mapping m, answer *a);
bool run_changes(bytes verb, words *w, entry *named, answer *a);
bool run_storage(bytes verb, words *w, mapping m, answer *a);
void run_sync_many(words *w, answer *a);

#endif
