/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/top.h"
#include "cli/units.h"

enum { FIXED_COLUMNS = 56, NAME_COLUMNS_MIN = 24, NAME_COLUMNS_MAX = 64 };

struct out {
    top_put *put;
    void *ctx;
    int name; /* columns of what a row is about */
};

/* Names of programs are anybody's bytes: nothing of them commands a terminal. */
__attribute__((format(printf, 3, 4))) static void line(const struct out *o, enum top_kind kind,
                                                       const char *format, ...)
{
    char text[TOP_LINE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    o->put(o->ctx, kind, text);
}

/* Six columns: 94.1M. */
static const char *brief(double value, char *buf)
{
    static const char units[] = " kMGT";
    unsigned unit = 0;

    for (; value >= 999.5 && units[unit + 1]; unit++)
        value /= 1000;
    snprintf(buf, UNIT_TEXT_MAX, "%.*f%c", unit && value < 99.95 ? 1 : 0, value, units[unit]);
    return buf;
}

static void row(const struct out *o, enum top_kind kind, const char *number, const char *name,
                const char *const values[5], const char *state)
{
    line(o, kind, "%6s %-*.*s %6s %6s %8s %6s %6s  %s", number, o->name, o->name, name, values[0],
         values[1], values[2], values[3], values[4], state);
}

static void numbers_row(const struct out *o, enum top_kind kind, const char *number,
                        const char *name, struct top_rate rate, const json_t *from,
                        const char *state)
{
    char t[5][UNIT_TEXT_MAX];
    bool window = json_object_get(from, "cwnd_bytes") != NULL;
    bool timed = top_number(from, "srtt_us") > 0;

    row(o, kind, number, name,
        (const char *const[]){brief(rate.out, t[0]), brief(rate.in, t[1]),
                              timed ? format_time(top_number(from, "srtt_us"), t[2]) : "",
                              window ? brief((double)top_number(from, "cwnd_bytes"), t[3]) : "",
                              brief((double)top_number(from, "bytes_reinjected"), t[4])},
        state);
}

static void daemon_line(const struct top *t, const struct out *o)
{
    const json_t *d = json_object_get(t->now, "daemon"), *m = json_object_get(d, "memory");
    char up[UNIT_TEXT_MAX], used[UNIT_TEXT_MAX];

    line(o, TOP_DAEMON, "plaitd %llu, up %s: %llu connections, %llu subflows, %s; by %s%s%s%s",
         (unsigned long long)top_number(d, "pid"),
         format_time(top_number(d, "uptime_us") / 1000000 * 1000000, up),
         (unsigned long long)top_number(m, "connections"),
         (unsigned long long)top_number(m, "subflows"),
         format_size(top_number(m, "used_bytes"), used), top_sort_name(t->sort),
         t->reverse ? " reversed" : "", t->filter[0] ? ", only " : "", t->filter);
}

static struct out out_of(unsigned columns, top_put *put, void *ctx)
{
    int name = (int)columns - FIXED_COLUMNS;

    name = name < NAME_COLUMNS_MIN ? NAME_COLUMNS_MIN : name;
    return (struct out){put, ctx, name > NAME_COLUMNS_MAX ? NAME_COLUMNS_MAX : name};
}

void top_head(const struct top *t, unsigned columns, top_put *put, void *ctx)
{
    const struct out o = out_of(columns, put, ctx);
    char name[96], state[64];
    size_t i;
    const json_t *p;

    daemon_line(t, &o);
    row(&o, TOP_HEADER, "CONN", "PROGRAM, PEER / PATH",
        (const char *const[]){"OUT b", "IN b", "RTT", "CWND", "REINJ"}, "STATE");
    json_array_foreach(json_object_get(t->now, "paths"), i, p)
    {
        snprintf(name, sizeof name, "from %s", top_string(p, "local"));
        snprintf(state, sizeof state, "%llu open", (unsigned long long)top_number(p, "subflows"));
        numbers_row(&o, TOP_PATH, "all", name, top_path_rate(t, p), p, state);
    }
}

static bool is(const json_t *o, const char *name)
{
    return json_is_true(json_object_get(o, name));
}

static const char *conn_state(const json_t *c)
{
    if (!is(c, "established"))
        return "opening";
    return is(c, "multipath") ? top_string(c, "scheduler") : top_string(c, "fallback");
}

static const char *subflow_state(const json_t *s)
{
    if (is(s, "closed"))
        return top_string(s, "closed_why");
    if (is(s, "stale"))
        return "stale";
    const char *state = top_string(s, "state");
    bool up = strcmp(state, "ESTABLISHED") == 0;
    return is(s, "backup") ? "backup" : up ? "up" : state;
}

static void conn_lines(const struct top *t, const struct out *o, const struct top_row *r)
{
    char number[16], name[192];
    size_t i;
    const json_t *s;

    snprintf(number, sizeof number, "%llu", (unsigned long long)top_number(r->conn, "conn"));
    snprintf(name, sizeof name, "%s %s %s", top_string(r->conn, "program"),
             is(r->conn, "client") ? ">" : "<", top_string(r->conn, "remote"));
    numbers_row(o, TOP_CONN, number, name, r->rate, r->conn, conn_state(r->conn));
    if (t->no_subflows)
        return;
    json_array_foreach(json_object_get(r->conn, "subflows"), i, s)
    {
        snprintf(number, sizeof number, "/%llu", (unsigned long long)top_number(s, "id"));
        snprintf(name, sizeof name, " %s", top_string(s, "local"));
        enum top_kind kind = is(s, "closed") || is(s, "stale") ? TOP_TROUBLE : TOP_SUBFLOW;
        numbers_row(o, kind, number, name, top_subflow_rate(t, r, s), s, subflow_state(s));
    }
}

void top_conns(const struct top *t, unsigned columns, top_put *put, void *ctx)
{
    const struct out o = out_of(columns, put, ctx);
    unsigned count;
    struct top_row *rows = top_rows(t, &count);

    for (unsigned i = 0; i < count; i++)
        conn_lines(t, &o, &rows[i]);
    free(rows);
}
