/* SPDX-License-Identifier: MIT
 *
 * Any lines as a settings file, and as a command's arguments: a table with every
 * kind of option. What is said of them goes nowhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "tests/fuzz/fuzz.h"

enum { ARGS_MAX = 16, TEXT_MAX = 1024 };

struct values {
    bool flag;
    const char *text;
    struct option_list list;
    unsigned count;
    uint16_t port;
    uint64_t size, duration;
    char pair[2];
};

static bool set_pair(void *at, char *const *values, char *why)
{
    char *pair = at;
    pair[0] = values[0][0];
    pair[1] = values[1][0];
    snprintf(why, OPTION_WHY_MAX, "%c and %c", pair[0], pair[1]);
    return pair[0] == pair[1];
}

static const struct option_row rows[] = {
    {'f', "flag", NULL, OPTION_FLAG, offsetof(struct values, flag), "a flag", NULL, 0},
    {'t', "text", "T", OPTION_TEXT, offsetof(struct values, text), "a text", NULL, 0},
    {'l', "list", "T", OPTION_LIST, offsetof(struct values, list), "texts", NULL, 0},
    {0, "count", "N", OPTION_COUNT, offsetof(struct values, count), "a number", NULL, 0},
    {'p', "port", "N", OPTION_PORT, offsetof(struct values, port), "a port", NULL, 0},
    {'s', "size", "N", OPTION_SIZE, offsetof(struct values, size), "bytes", NULL, 0},
    {'d', "duration", "T", OPTION_DURATION, offsetof(struct values, duration), "a time", NULL, 0},
    {0, "pair", "A B", OPTION_CUSTOM, offsetof(struct values, pair), "twins", set_pair, 1},
    {0},
};

static void check(const struct values *values)
{
    if (values->list.count > OPTION_LIST_MAX || values->count > 1000000)
        abort();
}

static void read_as_file(const char *text)
{
    char copy[TEXT_MAX + 1];
    struct values values = {0};
    const struct usage usage = {.synopsis = "try", .groups = {{"Options", rows, &values}}};

    strcpy(copy, text);
    if (options_file(&usage, "settings", copy))
        check(&values);
}

static void parse(int argc, char **argv)
{
    struct values values = {0};
    int operand = 0;
    const struct usage usage = {.synopsis = "try [OPTIONS] [OPERAND]...",
                                .about = "Tries.\n",
                                .groups = {{"Options", rows, &values}},
                                .operands_max = 3};
    if (options_parse(&usage, argc, argv, &operand) != OPTION_GO)
        return;
    if (operand < 1 || operand > argc || argc - operand > 3)
        abort();
    check(&values);
}

static void silence(void)
{
    static bool silent;
    if (!silent && (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)))
        abort();
    silent = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX + 1], *argv[ARGS_MAX + 2] = {"try"};
    int argc = 1;
    size = size < TEXT_MAX ? size : TEXT_MAX;
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    silence();
    read_as_file(text);
    for (char *at = text; at && argc <= ARGS_MAX; argc++) {
        argv[argc] = at;
        at = strchr(at, '\n');
        if (at)
            *at++ = '\0';
    }
    parse(argc, argv);
    return 0;
}
