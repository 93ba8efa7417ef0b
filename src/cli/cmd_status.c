/* SPDX-License-Identifier: MIT
 *
 * plait status: what plaitd and the programs it serves are doing.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/units.h"

static const char about[] =
    "Shows the connections of programs that plaitd serves, with their subflows: those of this\n"
    "user, or all of them for root and the daemon's own user.\n";

struct status_options {
    struct ask_options ask;
    bool watch, counters;
};

#define AT(field) offsetof(struct status_options, field)
static const struct option_row rows[] = {
    {'w', "watch", NULL, OPTION_FLAG, AT(watch), "again every second, until interrupted", NULL, 0},
    {0, "counters", NULL, OPTION_FLAG, AT(counters),
     "the stack's counters too, those that are not 0", NULL, 0},
    {0},
};

static uint64_t number(const json_t *o, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(o, name));
}

static const char *text(const json_t *o, const char *name)
{
    const char *value = json_string_value(json_object_get(o, name));

    return value ? value : "?";
}

static bool is(const json_t *o, const char *name)
{
    return json_is_true(json_object_get(o, name));
}

static void print_daemon(const json_t *answer)
{
    const json_t *d = json_object_get(answer, "daemon"), *m = json_object_get(d, "memory");
    char up[UNIT_TEXT_MAX], used[UNIT_TEXT_MAX];

    printf("plaitd %llu, up %s; %s; %llu connections, %llu subflows, %s\n",
           (unsigned long long)number(d, "pid"), format_time(number(d, "uptime_us"), up),
           text(d, "driver"), (unsigned long long)number(m, "connections"),
           (unsigned long long)number(m, "subflows"), format_size(number(m, "used_bytes"), used));
}

static const char *path_state(const json_t *p)
{
    if (is(p, "closed"))
        return text(p, "closed_why");
    return is(p, "stale") ? "stale" : is(p, "backup") ? "backup" : text(p, "state");
}

static void print_path(const json_t *p)
{
    char sent[UNIT_TEXT_MAX], received[UNIT_TEXT_MAX], rtt[UNIT_TEXT_MAX], path[160];

    snprintf(path, sizeof path, "%s > %s", text(p, "local"), text(p, "remote"));
    printf("  %4llu  %-46s %9s %9s %9s %6llu  %s\n", (unsigned long long)number(p, "id"), path,
           format_size(number(p, "bytes_sent"), sent),
           format_size(number(p, "bytes_received"), received),
           format_time(number(p, "srtt_us"), rtt), (unsigned long long)number(p, "retransmits"),
           path_state(p));
}

static void print_conn(const json_t *c)
{
    char age[UNIT_TEXT_MAX];
    size_t i;
    const json_t *p;

    printf("\n%llu  %s (%llu)  %s %s %s, %s, ", (unsigned long long)number(c, "conn"),
           text(c, "program"), (unsigned long long)number(c, "pid"), text(c, "local"),
           is(c, "client") ? "to" : "from", text(c, "remote"),
           format_time(number(c, "age_us"), age));
    if (!is(c, "established"))
        puts("not established");
    else if (is(c, "multipath"))
        printf("Multipath TCP v%llu%s, scheduler %s, congestion control %s\n",
               (unsigned long long)number(c, "version"), is(c, "checksum") ? " with checksums" : "",
               text(c, "scheduler"), text(c, "cc"));
    else
        printf("plain TCP: %s\n", text(c, "fallback"));
    printf("  %4s  %-46s %9s %9s %9s %6s  %s\n", "", "path", "sent", "received", "rtt", "retr.",
           "state");
    json_array_foreach(json_object_get(c, "subflows"), i, p) print_path(p);
}

static void print_counters(const json_t *answer)
{
    const char *name;
    json_t *value, *counters = json_object_get(answer, "counters");

    if (counters)
        putchar('\n');
    json_object_foreach(counters, name, value)
    {
        if (json_integer_value(value))
            printf("%-28s %lld\n", name, (long long)json_integer_value(value));
    }
}

/* With what it takes to change something there, which only those who may are told. */
static void print_page(const json_t *answer)
{
    const char *url = json_string_value(json_object_get(answer, "page"));
    const char *token = json_string_value(json_object_get(answer, "page_token"));

    if (url)
        printf("page at %s%s%s\n", url, token && *token ? "#" : "", token ? token : "");
}

static void print_status(const json_t *answer)
{
    size_t i;
    const json_t *c, *l;

    print_daemon(answer);
    print_page(answer);
    json_array_foreach(json_object_get(answer, "listeners"), i, l)
        printf("listening at %s: %s (%llu)\n", text(l, "local"), text(l, "program"),
               (unsigned long long)number(l, "pid"));
    json_array_foreach(json_object_get(answer, "connections"), i, c) print_conn(c);
    print_counters(answer);
}

static int show(struct control *c, const struct status_options *o, bool clear)
{
    int failure;
    json_t *answer =
        ask(c, json_pack("{s:s s:b}", "do", "status", "counters", o->counters), &failure);

    if (!answer)
        return failure;
    if (clear)
        fputs("\033[H\033[J", stdout);
    if (o->ask.json) {
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        print_status(answer);
    }
    fflush(stdout);
    json_decref(answer);
    return HOST_OK;
}

int cmd_status(int argc, char **argv)
{
    struct status_options o = {0};
    const struct usage usage = {.synopsis = "status [OPTIONS]",
                                .about = about,
                                .closing = "Examples:\n  plait status\n  plait status --watch\n"
                                           "  plait status --json | jq '.connections[].conn'\n",
                                .groups = {{"Options", rows, &o}, {"Daemon", ask_rows, &o.ask}}};
    int failure, operand, end = options_parse(&usage, argc, argv, &operand);

    if (end != OPTION_GO)
        return end;
    struct control *c = ask_open(&o.ask, &failure);
    if (!c)
        return failure;
    bool clear = o.watch && !o.ask.json && isatty(STDOUT_FILENO);
    if (o.watch)
        cli_catch_signals();
    do {
        failure = show(c, &o, clear);
        if (failure || !o.watch)
            break;
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL); /* a signal ends it */
    } while (!cli_interrupted());
    control_close(c);
    return failure ? failure : cli_interrupted() ? CLI_INTERRUPTED : HOST_OK;
}
