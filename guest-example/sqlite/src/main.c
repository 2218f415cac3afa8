// The command line: runs SQL in a database, and prints rows as `sqlite3` does.

#include "vfs.h"

#include "sqlite.h" // what wit-bindgen made of wit/sqlite.wit
#include "sqlite3.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char HELP[] =
    "Runs SQL in a database file: SQLite, on a mapping of the file.\n"
    "\n"
    "Usage: sqlite [OPTIONS] DATABASE [SQL...]\n"
    "\n"
    "Without SQL, statements are read from standard input, and each is run once its semicolon is\n"
    "there. DATABASE is made if it is not there; `file:NAME?mode=ro` and the like can be given.\n"
    "The first statement that fails ends it, and undoes a transaction that is open.\n"
    "\n"
    "Options:\n"
    "  -H, --header          names of columns in front of a statement's rows\n"
    "  -s, --separator TEXT  between columns [default: |]\n"
    "  -n, --null TEXT       for NULL [default: nothing]\n"
    "  -r, --readonly        the database is not changed\n"
    "  -t, --timeout MS      wait so long at most for locks of others [default: 5000]\n"
    "  -v, --version         of SQLite\n"
    "  -h, --help            this text\n"
    "\n"
    "Exit status: 0 if all went well, 1 if a statement failed, 3 if none was run.\n";

enum { DONE = 0, FAILED = 1, MISUSED = 3 };

typedef struct {
    sqlite3 *database;
    const char *separator, *null;
    bool header;
} shell;

// Ends the program. The C library's `exit` would make 1 of every failure.
static _Noreturn void leave(int status) {
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("sqlite: the output cannot be written");
        status = MISUSED;
    }
    wasi_cli_exit_exit_with_code((uint8_t)status);
    abort();
}

static _Noreturn void misused(const char *what) {
    fprintf(stderr, "sqlite: %s\nsqlite: --help says how it is used\n", what);
    leave(MISUSED);
}

static void complain(const shell *shell, int code) {
    fflush(stdout);
    fprintf(stderr, "sqlite: %s (%d)", sqlite3_errmsg(shell->database),
            sqlite3_extended_errcode(shell->database));
    int kind = code & 0xFF;
    bool files = kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN || kind == SQLITE_FULL ||
                 kind == SQLITE_READONLY;
    const char *problem = mapped_vfs_problem();
    if (files && problem != NULL) fprintf(stderr, ": %s", problem);
    fputc('\n', stderr);
}

static void print_row(const shell *shell, sqlite3_stmt *statement) {
    int columns = sqlite3_column_count(statement);
    for (int column = 0; column < columns; column++) {
        if (column > 0) fputs(shell->separator, stdout);
        const void *text = sqlite3_column_text(statement, column);
        if (text == NULL) {
            fputs(shell->null, stdout);
        } else {
            fwrite(text, 1, (size_t)sqlite3_column_bytes(statement, column), stdout);
        }
    }
    putchar('\n');
}

static void print_names(const shell *shell, sqlite3_stmt *statement) {
    int columns = sqlite3_column_count(statement);
    for (int column = 0; column < columns; column++) {
        if (column > 0) fputs(shell->separator, stdout);
        fputs(sqlite3_column_name(statement, column), stdout);
    }
    putchar('\n');
}

// Runs statements, and tells whether all went well.
static bool run(const shell *shell, const char *sql) {
    while (*sql != '\0') {
        sqlite3_stmt *statement;
        int code = sqlite3_prepare_v2(shell->database, sql, -1, &statement, &sql);
        if (code != SQLITE_OK) {
            complain(shell, code);
            return false;
        }
        if (statement == NULL) continue; // A comment, or nothing.
        bool first = true;
        while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
            if (first && shell->header) print_names(shell, statement);
            first = false;
            print_row(shell, statement);
        }
        if (code != SQLITE_DONE) complain(shell, code);
        sqlite3_finalize(statement);
        if (code != SQLITE_DONE) return false;
    }
    return true;
}

// Runs what comes from standard input, each statement as soon as it is complete. What it prints can be
// read before the next one is written.
static bool run_input(const shell *shell) {
    char *sql = NULL, *line = NULL;
    size_t length = 0, room = 0;
    ssize_t read;
    bool well = true;
    while (well && (read = getline(&line, &room, stdin)) >= 0) {
        char *longer = realloc(sql, length + (size_t)read + 1);
        if (longer == NULL) abort();
        sql = longer;
        memcpy(sql + length, line, (size_t)read + 1);
        length += (size_t)read;
        if (!sqlite3_complete(sql)) continue;
        well = run(shell, sql);
        fflush(stdout);
        length = 0;
        sql[0] = '\0';
    }
    if (well && length > 0) well = run(shell, sql);
    free(line);
    free(sql);
    return well;
}

int main(int argc, char **argv) {
    static const struct option LONG[] = {
        {"header", no_argument, NULL, 'H'},   {"separator", required_argument, NULL, 's'},
        {"null", required_argument, NULL, 'n'}, {"readonly", no_argument, NULL, 'r'},
        {"timeout", required_argument, NULL, 't'}, {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},     {NULL, 0, NULL, 0},
    };
    shell shell = {.separator = "|", .null = ""};
    bool readonly = false;
    long timeout = 5000;
    for (int option; (option = getopt_long(argc, argv, "+Hs:n:rt:vh", LONG, NULL)) != -1;) {
        char *end;
        switch (option) {
        case 'H': shell.header = true; break;
        case 's': shell.separator = optarg; break;
        case 'n': shell.null = optarg; break;
        case 'r': readonly = true; break;
        case 't':
            timeout = strtol(optarg, &end, 10);
            if (*optarg == '\0' || *end != '\0' || timeout < 0) {
                misused("--timeout wants milliseconds");
            }
            break;
        case 'v': puts(sqlite3_libversion()); leave(DONE);
        case 'h': fputs(HELP, stdout); leave(DONE);
        default: misused("what is asked for is not known");
        }
    }
    if (optind == argc) misused("which database?");
    int flags = readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int code = sqlite3_open_v2(argv[optind++], &shell.database, flags, NULL);
    if (code != SQLITE_OK) {
        complain(&shell, code);
        leave(MISUSED);
    }
    sqlite3_busy_timeout(shell.database, (int)timeout);
    bool well = true;
    if (optind == argc) well = run_input(&shell);
    while (well && optind < argc) well = run(&shell, argv[optind++]);
    code = sqlite3_close(shell.database);
    if (code != SQLITE_OK) fprintf(stderr, "sqlite: the database was not closed (%d)\n", code);
    leave(well && code == SQLITE_OK ? DONE : FAILED);
}
