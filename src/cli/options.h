/* SPDX-License-Identifier: MIT
 *
 * Command lines from tables. One row describes an option once: how it is
 * written, what it takes, where its value goes and what --help says of it, so
 * that help and parser cannot disagree.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,     /* bool, set to true */
    OPTION_TEXT,     /* const char * */
    OPTION_LIST,     /* struct option_list: may be given again */
    OPTION_COUNT,    /* unsigned, 1 .. 1 000 000 */
    OPTION_PORT,     /* uint16_t, 1 .. 65535 */
    OPTION_SIZE,     /* uint64_t bytes: 64k, 10MB, 1GiB */
    OPTION_DURATION, /* uint64_t microseconds: 500ms, 10s, 2m; a bare number is seconds */
    OPTION_CUSTOM    /* set() parses it */
};

enum { OPTION_LIST_MAX = 16, OPTION_WHY_MAX = 256 };

struct option_list {
    const char *items[OPTION_LIST_MAX];
    unsigned count;
};

struct option_row {
    char letter;       /* 0: none */
    const char *name;  /* the long name */
    const char *value; /* what --help calls the value; NULL: takes none */
    enum option_kind kind;
    size_t offset;    /* of the value in the group's struct */
    const char *help; /* "\n" continues on the next line */
    /* CUSTOM: parse values[0] to values[extra]; false and a reason in `why`
     * (OPTION_WHY_MAX bytes) when they are no good. */
    bool (*set)(void *at, char *const *values, char *why);
    unsigned extra; /* CUSTOM: values after the first */
    /* TEXT: prints what there is to choose from, for the value "help"; then nothing
     * else is done. May be NULL. */
    void (*list)(void);
};

/* Rows that fill one struct. The last row has no name. */
struct option_group {
    const char *title; /* "Options" */
    const struct option_row *rows;
    void *into;
};

enum { OPTION_GROUPS_MAX = 6 };

struct usage {
    const char *synopsis; /* after "usage: plait " */
    const char *about;
    const char *closing;                           /* examples, exit codes; may be NULL */
    struct option_group groups[OPTION_GROUPS_MAX]; /* the last used one is followed by zeroes */
    int operands_min, operands_max;                /* max -1: any number */
    bool command; /* operands are a command: options end at the first of them */
};

/* OPTION_GO: parsed, *operand is the index of the first operand. Otherwise the
 * code to exit with: help or a list was printed (HOST_OK), or the error said
 * (HOST_FAIL_USAGE). */
enum { OPTION_GO = -1 };
int options_parse(const struct usage *usage, int argc, char **argv, int *operand);

/* The same rows from a file: one a line, the long name, then '=', then the
 * value; a flag takes yes or no; '#' begins a comment. `text` is the file's
 * contents, ended by 0: it is changed, and must live as long as the values do.
 * `path` for messages. True, or the first error was said with its line. Given
 * before options_parse, so that the command line prevails. */
bool options_file(const struct usage *usage, const char *path, char *text);

/* Appended to every command's help: enum host_failure in words. */
#define CLI_EXIT_CODES                                                                             \
    "Exit codes:\n"                                                                                \
    "  0    success\n"                                                                             \
    "  1    the system refused something: memory, a device\n"                                      \
    "  2    wrong arguments\n"                                                                     \
    "  3    not permitted: a capability is missing\n"                                              \
    "  4    an address is not this host's, or there is none\n"                                     \
    "  5    the port is in use\n"                                                                  \
    "  6    this system cannot run the packet driver\n"                                            \
    "  7    a name does not resolve\n"                                                             \
    "  8    no connection: unreachable, no answer, refused\n"                                      \
    "  9    an established connection broke; the data is not complete\n"                           \
    "  10   a file cannot be opened, read or written\n"                                            \
    "  130  interrupted\n"

#endif
