/* SPDX-License-Identifier: MIT
 *
 * plait close, open, set, addr and events: one request each to a running plaitd.
 * (plait status has a file of its own.)
 */
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/units.h"

/* ---- close --------------------------------------------------------------- */

static const char close_about[] =
    "Resets a connection of a program that plaitd serves: the program and the peer see an\n"
    "error. With SUBFLOW it ends that subflow alone; what it carried goes over the others.\n"
    "plait status shows the numbers.\n";

int cmd_close(int argc, char **argv)
{
    struct ask_options o = {0};
    const struct usage usage = {.synopsis = "close [OPTIONS] CONNECTION [SUBFLOW]",
                                .about = close_about,
                                .closing = "Examples:\n  plait close 7\n  plait close 7 2\n",
                                .groups = {{"Options", ask_rows, &o}},
                                .operands_min = 1,
                                .operands_max = 2};
    uint32_t conn, subflow = 0;
    int operand, end = options_parse(&usage, argc, argv, &operand);

    if (end != OPTION_GO)
        return end;
    bool one = argc - operand == 2;
    if (!ask_number(argv[operand], "connection", &conn) ||
        (one && !ask_number(argv[operand + 1], "subflow", &subflow)))
        return HOST_FAIL_USAGE;
    json_t *request = json_pack("{s:s s:I}", "do", "close", "conn", (json_int_t)conn);
    if (one)
        json_object_set_new(request, "subflow", json_integer(subflow));
    return ask_once(&o, request);
}

/* ---- open ---------------------------------------------------------------- */

static const char open_about[] =
    "Opens a further subflow of a connection, from LOCAL, an address of this host, to\n"
    "REMOTE (default: where the connection's first subflow goes).\n";

int cmd_open(int argc, char **argv)
{
    struct {
        struct ask_options ask;
        bool backup;
    } o = {0};
    static const struct option_row rows[] = {{0, "backup", NULL, OPTION_FLAG, 0,
                                              "for when no other path is left", NULL, 0},
                                             {0}};
    const struct usage usage = {.synopsis = "open [OPTIONS] CONNECTION LOCAL [REMOTE[:PORT]]",
                                .about = open_about,
                                .closing = "Example:\n  plait open 7 10.0.2.2\n",
                                .groups = {{"Options", ask_rows, &o.ask},
                                           {"Subflow", rows, &o.backup}},
                                .operands_min = 2,
                                .operands_max = 3};
    uint32_t conn;
    int operand, end = options_parse(&usage, argc, argv, &operand);

    if (end != OPTION_GO)
        return end;
    if (!ask_number(argv[operand], "connection", &conn))
        return HOST_FAIL_USAGE;
    json_t *request = json_pack("{s:s s:I s:s s:b}", "do", "open", "conn", (json_int_t)conn,
                                "local", argv[operand + 1], "backup", o.backup);
    if (request && argc - operand == 3)
        json_object_set_new(request, "remote", json_string(argv[operand + 2]));
    if (!request) {
        cli_error("'%s' is no text", argv[operand + 1]);
        return HOST_FAIL_USAGE;
    }
    return ask_once(&o.ask, request);
}

/* ---- set ----------------------------------------------------------------- */

struct set_options {
    struct ask_options ask;
    const char *scheduler, *cc, *manager;
    unsigned backup, normal; /* subflow */
};

#define AT(field) offsetof(struct set_options, field)
static const struct option_row set_rows[] = {
    {0, "scheduler", "NAME", OPTION_TEXT, AT(scheduler), "choose paths like this from now on", NULL,
     0},
    {0, "cc", "NAME", OPTION_TEXT, AT(cc), "congestion control, on every subflow", NULL, 0},
    {0, "path-manager", "NAME", OPTION_TEXT, AT(manager), "of connections to come", NULL, 0},
    {0, "backup", "SUBFLOW", OPTION_COUNT, AT(backup), "use it when no other path is left", NULL,
     0},
    {0, "normal", "SUBFLOW", OPTION_COUNT, AT(normal), "use it like the others", NULL, 0},
    {0},
};

static const char set_about[] =
    "Changes a live connection of a program that plaitd serves, or without CONNECTION what\n"
    "connections to come begin with.\n";

static void add_text(json_t *request, const char *name, const char *text)
{
    if (text)
        json_object_set_new(request, name, json_string(text));
}

int cmd_set(int argc, char **argv)
{
    struct set_options o = {0};
    const struct usage usage = {
        .synopsis = "set [OPTIONS] [CONNECTION]",
        .about = set_about,
        .closing = "Examples:\n  plait set 7 --scheduler redundant\n  plait set 7 --backup 2\n"
                   "  plait set --cc olia\n",
        .groups = {{"Settings", set_rows, &o}, {"Options", ask_rows, &o.ask}},
        .operands_max = 1};
    uint32_t conn = 0;
    int operand, end = options_parse(&usage, argc, argv, &operand);

    if (end != OPTION_GO)
        return end;
    bool one = argc - operand == 1;
    if (one && !ask_number(argv[operand], "connection", &conn))
        return HOST_FAIL_USAGE;
    if (o.backup && o.normal) {
        cli_error("--backup and --normal are each other's opposite: give one at a time");
        return HOST_FAIL_USAGE;
    }
    if (!o.scheduler && !o.cc && !o.manager && !o.backup && !o.normal) {
        cli_error("set what? see --help");
        return HOST_FAIL_USAGE;
    }
    json_t *request = json_pack("{s:s}", "do", "set");
    add_text(request, "scheduler", o.scheduler);
    add_text(request, "cc", o.cc);
    add_text(request, "path_manager", o.manager);
    if (o.backup || o.normal) {
        json_object_set_new(request, "subflow", json_integer(o.backup ? o.backup : o.normal));
        json_object_set_new(request, "backup", json_boolean(o.backup));
    }
    if (one)
        json_object_set_new(request, "conn", json_integer(conn));
    return ask_once(&o.ask, request);
}

/* ---- addr ---------------------------------------------------------------- */

static const char addr_about[] =
    "Without ADDR: the host's addresses and what plaitd uses them for. With ADDR and words:\n"
    "changes that, now and whenever the address is there:\n"
    "  use, unuse            as a path, or as if it were not there\n"
    "  backup, normal        subflows from it are for when no other path is left, or not\n"
    "  subflow, no-subflow   open subflows from it, or only take those that come\n"
    "  announce, no-announce tell peers of it, or not\n"
    "  port N                tell peers to join it at port N\n";

struct word {
    const char *word, *member;
    bool value;
};
static const struct word words[] = {
    {"use", "used", true},           {"unuse", "used", false},
    {"backup", "backup", true},      {"normal", "backup", false},
    {"subflow", "subflow", true},    {"no-subflow", "subflow", false},
    {"announce", "announced", true}, {"no-announce", "announced", false},
};

static bool add_word(json_t *request, char **argv, int argc, int *i)
{
    uint64_t port;

    for (unsigned k = 0; k < sizeof words / sizeof words[0]; k++) {
        if (strcmp(argv[*i], words[k].word) != 0)
            continue;
        json_object_set_new(request, words[k].member, json_boolean(words[k].value));
        return true;
    }
    if (strcmp(argv[*i], "port") == 0 && *i + 1 < argc && parse_count(argv[*i + 1], &port) &&
        port <= UINT16_MAX) {
        json_object_set_new(request, "port", json_integer((json_int_t)port));
        ++*i;
        return true;
    }
    cli_error("'%s': there are use, unuse, backup, normal, subflow, no-subflow, announce, "
              "no-announce and port N",
              argv[*i]);
    return false;
}

static void print_addr(const json_t *a)
{
    const char *addr = json_string_value(json_object_get(a, "addr"));
    json_int_t port = json_integer_value(json_object_get(a, "port"));
#define IS(name) json_is_true(json_object_get(a, name))

    printf("%-40s %s", addr ? addr : "?",
           !IS("present") ? "absent"
           : !IS("used")  ? "unused"
           : IS("backup") ? "backup"
                          : "used");
    if (!IS("subflow"))
        printf(", opens no subflows");
    if (!IS("announced"))
        printf(", not announced");
    else if (port)
        printf(", announced with port %lld", (long long)port);
    putchar('\n');
#undef IS
}

static int list_addrs(const struct ask_options *o)
{
    int failure;
    size_t i;
    json_t *a;
    struct control *c = ask_open(o, &failure);
    json_t *answer = c ? ask(c, json_pack("{s:s}", "do", "addr"), &failure) : NULL;

    if (answer && o->json) {
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (answer) {
        json_array_foreach(json_object_get(answer, "addresses"), i, a) print_addr(a);
    }
    json_decref(answer);
    control_close(c);
    return failure;
}

int cmd_addr(int argc, char **argv)
{
    struct ask_options o = {0};
    const struct usage usage = {
        .synopsis = "addr [OPTIONS] [ADDR WORD...]",
        .about = addr_about,
        .closing = "Examples:\n  plait addr\n  plait addr 10.64.0.2 backup no-announce\n"
                   "  plait addr 192.0.2.1 port 8443\n",
        .groups = {{"Options", ask_rows, &o}},
        .operands_max = -1};
    int operand, end = options_parse(&usage, argc, argv, &operand);
    struct plait_addr addr;

    if (end != OPTION_GO)
        return end;
    if (operand == argc)
        return list_addrs(&o);
    if (!addr_parse(argv[operand], &addr)) {
        cli_error("'%s' is no IP address", argv[operand]);
        return HOST_FAIL_USAGE;
    }
    if (operand + 1 == argc) {
        cli_error("what about %s? see --help", argv[operand]);
        return HOST_FAIL_USAGE;
    }
    json_t *request = json_pack("{s:s s:s}", "do", "addr", "addr", argv[operand]);
    for (int i = operand + 1; i < argc; i++)
        if (!add_word(request, argv, argc, &i)) {
            json_decref(request);
            return HOST_FAIL_USAGE;
        }
    return ask_once(&o, request);
}

/* ---- events -------------------------------------------------------------- */

static const char events_about[] =
    "Prints what happens to connections that plaitd serves, a line of JSON for each event\n"
    "with its reason, until interrupted; of CONNECTION alone, or of all that this user may see.\n";

int cmd_events(int argc, char **argv)
{
    struct ask_options o = {0};
    const struct usage usage = {.synopsis = "events [OPTIONS] [CONNECTION]",
                                .about = events_about,
                                .closing = "Example:\n  plait events | grep reinjected\n",
                                .groups = {{"Options", ask_rows, &o}},
                                .operands_max = 1};
    uint32_t conn;
    int failure, operand, end = options_parse(&usage, argc, argv, &operand);

    if (end != OPTION_GO)
        return end;
    json_t *request = json_pack("{s:s}", "do", "events");
    if (operand < argc) {
        if (!ask_number(argv[operand], "connection", &conn)) {
            json_decref(request);
            return HOST_FAIL_USAGE;
        }
        json_object_set_new(request, "conn", json_integer(conn));
    }
    struct control *c = ask_open(&o, &failure);
    json_t *answer = c ? ask(c, request, &failure) : NULL;
    if (!c)
        json_decref(request);
    for (const char *line; answer && (line = control_next(c));)
        if (fputs(line, stdout) == EOF || fflush(stdout) != 0)
            break;
    json_decref(answer);
    control_close(c);
    return failure;
}
