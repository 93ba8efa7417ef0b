/* SPDX-License-Identifier: MIT
 *
 * Parsing and printing option tables, on top of getopt_long.
 */
#include "cli/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/units.h"

enum { ROWS_MAX = 64, HELP_COLUMN = 28 };

/* The rows of all groups in one line, and where each one's value goes. */
struct flat {
    const struct option_row *row[ROWS_MAX];
    void *into[ROWS_MAX];
    unsigned count;
};

static void flatten(const struct usage *usage, struct flat *flat)
{
    flat->count = 0;
    for (unsigned g = 0; g < OPTION_GROUPS_MAX && usage->groups[g].rows; g++) {
        for (const struct option_row *row = usage->groups[g].rows; row->name; row++) {
            flat->row[flat->count] = row;
            flat->into[flat->count] = usage->groups[g].into;
            if (++flat->count == ROWS_MAX)
                abort(); /* a programmer's error: make ROWS_MAX larger */
        }
    }
}

static void print_row(const struct option_row *row)
{
    char left[64];
    int len = row->letter ? snprintf(left, sizeof left, "  -%c, --%s", row->letter, row->name)
                          : snprintf(left, sizeof left, "      --%s", row->name);
    if (row->value)
        len += snprintf(left + len, sizeof left - (size_t)len, " %s", row->value);
    printf("%s", left);
    if (len > HELP_COLUMN - 2) {
        putchar('\n');
        len = 0;
    }
    for (const char *line = row->help; line;) {
        const char *end = strchr(line, '\n');
        printf("%*s%.*s\n", HELP_COLUMN - len, "", end ? (int)(end - line) : (int)strlen(line),
               line);
        line = end ? end + 1 : NULL;
        len = 0;
    }
}

static void print_help(const struct usage *usage)
{
    printf("usage: plait %s\n\n%s", usage->synopsis, usage->about);
    for (unsigned g = 0; g < OPTION_GROUPS_MAX && usage->groups[g].rows; g++) {
        printf("\n%s:\n", usage->groups[g].title);
        for (const struct option_row *row = usage->groups[g].rows; row->name; row++)
            print_row(row);
    }
    printf("  -h, --help%*sthis text\n", HELP_COLUMN - 12, "");
    if (usage->closing)
        printf("\n%s", usage->closing);
    printf("\n" CLI_EXIT_CODES);
}

static bool set_list(struct option_list *list, const char *text, char *why)
{
    if (list->count == OPTION_LIST_MAX) {
        snprintf(why, OPTION_WHY_MAX, "it was given more than %d times", OPTION_LIST_MAX);
        return false;
    }
    list->items[list->count++] = text;
    return true;
}

static bool set_number(void *at, const char *text, uint64_t max, bool wide, char *why)
{
    uint64_t number;

    if (!parse_count(text, &number) || number < 1 || number > max) {
        snprintf(why, OPTION_WHY_MAX, "it takes a number from 1 to %llu", (unsigned long long)max);
        return false;
    }
    if (wide)
        *(unsigned *)at = (unsigned)number;
    else
        *(uint16_t *)at = (uint16_t)number;
    return true;
}

static bool set_value(const struct option_row *row, void *into, char *const *values, char *why)
{
    void *at = (char *)into + row->offset;
    const char *text = values[0];

    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)at = true;
        return true;
    case OPTION_TEXT:
        *(const char **)at = text;
        return true;
    case OPTION_LIST:
        return set_list(at, text, why);
    case OPTION_COUNT:
        return set_number(at, text, 1000000, true, why);
    case OPTION_PORT:
        return set_number(at, text, 65535, false, why);
    case OPTION_SIZE:
        snprintf(why, OPTION_WHY_MAX, "it takes a size like 64k, 10MB or 1GiB");
        return parse_size(text, at);
    case OPTION_DURATION:
        snprintf(why, OPTION_WHY_MAX, "it takes a time like 500ms, 10s or 2m");
        return parse_seconds(text, at);
    case OPTION_CUSTOM:
        return row->set(at, values, why);
    }
    return false;
}

static void say_unknown(const struct flat *flat, const char *word)
{
    const char *names[ROWS_MAX];
    char bare[64];

    if (strncmp(word, "--", 2) != 0) {
        cli_error("there is no option '%s': plait --help and the command's --help list them", word);
        return;
    }
    for (unsigned i = 0; i < flat->count; i++)
        names[i] = flat->row[i]->name;
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    const char *near = cli_nearest(bare, names, flat->count);
    if (near && strcmp(near, bare) == 0) {
        cli_error("the option '--%s' takes no value: '%s'", bare, word);
        return;
    }
    if (near)
        cli_error("there is no option '--%s': did you mean '--%s'?", bare, near);
    else
        cli_error("there is no option '--%s': see --help", bare);
}

/* getopt's tables for the rows: long options return 256 + their index. */
static void build_tables(const struct flat *flat, bool command, struct option *longs, char *shorts)
{
    if (command)
        *shorts++ = '+'; /* do not look behind operands */
    *shorts++ = ':';     /* tell a missing value from an unknown option */
    *shorts++ = 'h';
    for (unsigned i = 0; i < flat->count; i++) {
        const struct option_row *row = flat->row[i];
        longs[i] = (struct option){row->name, row->value ? required_argument : no_argument, NULL,
                                   256 + (int)i};
        if (row->letter) {
            *shorts++ = row->letter;
            if (row->value)
                *shorts++ = ':';
        }
    }
    longs[flat->count] = (struct option){"help", no_argument, NULL, 'h'};
    longs[flat->count + 1] = (struct option){0};
    *shorts = 0;
}

static const struct option_row *find_row(const struct flat *flat, int got, void **into)
{
    for (unsigned i = 0; i < flat->count; i++) {
        if (got == 256 + (int)i || (flat->row[i]->letter && got == flat->row[i]->letter)) {
            *into = flat->into[i];
            return flat->row[i];
        }
    }
    return NULL;
}

static bool check_operands(const struct usage *usage, int count)
{
    if (count < usage->operands_min)
        cli_error("an argument is missing: plait %s", usage->synopsis);
    else if (usage->operands_max >= 0 && count > usage->operands_max)
        cli_error("there are too many arguments: plait %s", usage->synopsis);
    else
        return true;
    return false;
}

/* The value getopt found, and those after it that a row with `extra` takes. */
static bool take_value(const struct option_row *row, void *into, int argc, char **argv)
{
    char why[OPTION_WHY_MAX] = "";
    char **values = &argv[optind - 1];

    if (row->extra) {
        if (*values != optarg || argc - optind < (int)row->extra) {
            cli_error("--%s needs %u values: --%s %s", row->name, row->extra + 1, row->name,
                      row->value);
            return false;
        }
        optind += (int)row->extra;
    } else {
        values = &optarg;
    }
    if (set_value(row, into, values, why))
        return true;
    cli_error("'%s' is not good for --%s: %s", values[0], row->name, why);
    return false;
}

int options_parse(const struct usage *usage, int argc, char **argv, int *operand)
{
    struct flat flat;
    struct option longs[ROWS_MAX + 2];
    char shorts[2 * ROWS_MAX + 4];

    flatten(usage, &flat);
    build_tables(&flat, usage->command, longs, shorts);
    opterr = 0;
    optind = 0; /* glibc: start over */
    for (;;) {
        void *into = NULL;
        int at = optind ? optind : 1;
        int got = getopt_long(argc, argv, shorts, longs, NULL);
        if (got == -1)
            break;
        if (got == 'h') {
            print_help(usage);
            return HOST_OK;
        }
        if (got == ':') {
            cli_error("option '%s' needs a value: see --help", argv[optind - 1]);
            return HOST_FAIL_USAGE;
        }
        const struct option_row *row = find_row(&flat, got, &into);
        if (!row) {
            say_unknown(&flat, argv[optind > at ? optind - 1 : at]);
            return HOST_FAIL_USAGE;
        }
        if (row->list && strcmp(optarg, "help") == 0) {
            row->list();
            return HOST_OK;
        }
        if (!take_value(row, into, argc, argv))
            return HOST_FAIL_USAGE;
    }
    *operand = optind;
    return check_operands(usage, argc - optind) ? OPTION_GO : HOST_FAIL_USAGE;
}

/* ---- files ---------------------------------------------------------------- */

/* Without blanks around it; the text is cut. */
static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    for (size_t len = strlen(text); len && strchr(" \t\r", text[len - 1]); len--)
        text[len - 1] = 0;
    return text;
}

static bool set_flag(const struct option_row *row, void *into, const char *value, char *why)
{
    bool on = strcmp(value, "yes") == 0;

    snprintf(why, OPTION_WHY_MAX, "write yes or no");
    if (!on && strcmp(value, "no") != 0)
        return false;
    *(bool *)((char *)into + row->offset) = on;
    return true;
}

static bool read_line(const struct flat *flat, const char *path, unsigned number, char *line)
{
    char why[OPTION_WHY_MAX] = "";
    char *equals = strchr(line, '=');

    if (!equals) {
        cli_error("%s:%u: '%s' is no setting: write NAME = VALUE", path, number, line);
        return false;
    }
    *equals = 0;
    char *name = trim(line), *value = trim(equals + 1);
    for (unsigned i = 0; i < flat->count; i++) {
        const struct option_row *row = flat->row[i];
        if (strcmp(row->name, name) != 0 || row->extra)
            continue;
        if (row->kind == OPTION_FLAG ? set_flag(row, flat->into[i], value, why)
                                     : set_value(row, flat->into[i], &value, why))
            return true;
        cli_error("%s:%u: '%s' is not good for %s: %s", path, number, value, name, why);
        return false;
    }
    cli_error("%s:%u: there is no setting '%s': they are the command's long options", path, number,
              name);
    return false;
}

bool options_file(const struct usage *usage, const char *path, char *text)
{
    struct flat flat;
    unsigned number = 0;

    flatten(usage, &flat);
    for (char *line; (line = strsep(&text, "\n")) != NULL;) {
        number++;
        line[strcspn(line, "#")] = 0;
        line = trim(line);
        if (*line && !read_line(&flat, path, number, line))
            return false;
    }
    return true;
}
