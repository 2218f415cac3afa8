// The command line of `search`, in C.

#include "scan.h"
#include "search.h" // what wit-bindgen made of wit/search.wit

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char HELP[] =
    "Finds a pattern in files of any size, reading them through windows of a mapping.\n"
    "\n"
    "Usage: search-c [OPTIONS] PATTERN FILE...\n"
    "\n"
    "Each matching line is printed as FILE:OFFSET:LINE, where OFFSET is that of the line's first\n"
    "byte, counted from 0.\n"
    "\n"
    "Options:\n"
    "  -i, --ignore-case    take ASCII letters for the same in either case\n"
    "  -n, --line-number    print FILE:NUMBER:OFFSET:LINE, with lines counted from 1\n"
    "  -c, --count          print only FILE:COUNT, the number of matching lines\n"
    "  -m, --max-count N    stop a file after N matching lines\n"
    "  -q, --quiet          no summary\n"
    "      --window BYTES   read so much at a time, at most 1 GiB [default: 1048576]\n"
    "  -h, --help           this text\n"
    "\n"
    "The pattern is literal. Control characters are shown as \\xNN.\n"
    "\n"
    "Exit status: 0 if something was found, 1 if not, 3 if something went wrong.\n";

// grep's, but for the last: 2 is what the command line that runs a guest ends with by itself.
enum { FOUND = 0, NOTHING_FOUND = 1, FAILED = 3 };

// Ends the program. The C library's `exit` would make 1 of every failure.
static _Noreturn void leave(int status) {
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("search: the output cannot be written");
        status = FAILED;
    }
    wasi_cli_exit_exit_with_code((uint8_t)status);
    abort();
}

static _Noreturn void misused(const char *what) {
    fprintf(stderr, "search: %s\nsearch: --help says how it is used\n", what);
    leave(FAILED);
}

// A number from 0 to `most`.
static uint64_t number(const char *text, uint64_t most, const char *complaint) {
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value > most) misused(complaint);
    return value;
}

static query parse(int argc, char **argv, bool *quiet) {
    static const struct option LONG[] = {
        {"ignore-case", no_argument, NULL, 'i'}, {"line-number", no_argument, NULL, 'n'},
        {"count", no_argument, NULL, 'c'},       {"max-count", required_argument, NULL, 'm'},
        {"quiet", no_argument, NULL, 'q'},       {"window", required_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
    };
    query query = {.window = 1 << 20, .max_lines = UINT64_MAX};
    for (int option; (option = getopt_long(argc, argv, "incm:qh", LONG, NULL)) != -1;) {
        switch (option) {
        case 'i': query.ignore_case = true; break;
        case 'n': query.numbers = true; break;
        case 'c': query.count_only = true; break;
        case 'm':
            query.max_lines = number(optarg, UINT64_MAX, "--max-count wants a number");
            break;
        case 'q': *quiet = true; break;
        case 'w':
            query.window = number(optarg, 1 << 30, "--window wants a number of bytes up to 1 GiB");
            if (query.window == 0) misused("--window wants at least a byte");
            break;
        case 'h': fputs(HELP, stdout); leave(FOUND);
        default: misused("what is asked for is not known");
        }
    }
    if (optind == argc) misused("which pattern?");
    char *pattern = argv[optind++];
    if (*pattern == '\0') misused("the pattern is empty: it would match everywhere");
    if (strchr(pattern, '\n') != NULL) misused("matches are looked for line by line");
    if (optind == argc) misused("which file should it be looked for in?");
    if (query.ignore_case) {
        for (char *at = pattern; *at != '\0'; at++) {
            if (*at >= 'A' && *at <= 'Z') *at += 'a' - 'A';
        }
    }
    query.pattern = (const uint8_t *)pattern;
    query.length = strlen(pattern);
    return query;
}

static const char *plural(uint64_t number, const char *one, const char *many) {
    return number == 1 ? one : many;
}

int main(int argc, char **argv) {
    bool quiet = false;
    query query = parse(argc, argv, &quiet);
    tally tally = {0};
    bool failed = false;
    for (int at = optind; at < argc; at++) {
        mapped_status status = scan(argv[at], &query, &tally);
        if (query.count_only && (status == MAPPED_OK || tally.scanned_here > 0)) {
            printf("%s:%" PRIu64 "\n", argv[at], tally.lines_here);
        }
        if (status == MAPPED_OK) continue;
        // What was found before comes first, also where both go to the same place.
        fflush(stdout);
        fprintf(stderr, "search: %s: %s (%s)", argv[at], mapped_message(status),
                mapped_name(status));
        if (status == MAPPED_SIGBUS) {
            fprintf(stderr, ": %" PRIu64 " bytes were searched", tally.scanned_here);
        }
        fputc('\n', stderr);
        failed = true;
    }
    fflush(stdout);
    if (!quiet) {
        fprintf(stderr, "search: %" PRIu64 " %s in %" PRIu64 " %s, %" PRIu64 " %s scanned\n",
                tally.matches, plural(tally.matches, "match", "matches"), tally.lines,
                plural(tally.lines, "line", "lines"), tally.scanned,
                plural(tally.scanned, "byte", "bytes"));
    }
    leave(failed ? FAILED : tally.matches > 0 ? FOUND : NOTHING_FOUND);
}
