/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/top.h"
#include "plait/events.h"

static const char *const sort_names[] = {
#define X(id, name) name,
    TOP_SORTS(X)
#undef X
};

const char *top_sort_name(enum top_sort sort)
{
    return sort_names[sort];
}

bool top_sort_find(const char *name, enum top_sort *out)
{
    for (unsigned i = 0; i < TOP_SORT_COUNT; i++) {
        if (strcmp(name, sort_names[i]) == 0) {
            *out = (enum top_sort)i;
            return true;
        }
    }
    return false;
}

uint64_t top_number(const json_t *o, const char *name)
{
    return (uint64_t)json_number_value(json_object_get(o, name));
}

const char *top_string(const json_t *o, const char *name)
{
    const char *value = json_string_value(json_object_get(o, name));

    return value ? value : "?";
}

void top_take(struct top *t, json_t *answer)
{
    json_decref(t->before);
    t->before = t->now;
    t->now = answer;
}

void top_free(struct top *t)
{
    json_decref(t->now);
    json_decref(t->before);
    t->now = t->before = NULL;
}

/* ---- events ---------------------------------------------------------------- */

static const char *reason_sentence(const char *name)
{
    for (unsigned i = 0; i < PLAIT_WHY_COUNT; i++)
        if (strcmp(name, plait_reason_name(i)) == 0)
            return plait_reason_text(i);
    return name; /* of a newer daemon */
}

void top_event(struct top *t, json_t *e)
{
    char *text = t->events[t->event_count++ % TOP_EVENTS_MAX];
    const json_t *reason = json_object_get(e, "reason"), *bytes = json_object_get(e, "bytes");
    char subflow[16] = "", amount[32] = "";

    if (json_object_get(e, "subflow"))
        snprintf(subflow, sizeof subflow, "/%llu", (unsigned long long)top_number(e, "subflow"));
    if (bytes)
        snprintf(amount, sizeof amount, ", %llu bytes", (unsigned long long)top_number(e, "bytes"));
    snprintf(text, TOP_EVENT_TEXT_MAX, "%10.3f %6llu%-3s %s%s%s%s",
             (double)top_number(e, "time_us") / 1e6, (unsigned long long)top_number(e, "conn"),
             subflow, top_string(e, "event"), amount, reason ? ": " : "",
             reason ? reason_sentence(top_string(e, "reason")) : "");
    json_decref(e);
}

const char *top_event_text(const struct top *t, unsigned i)
{
    if (i >= t->event_count || i >= TOP_EVENTS_MAX)
        return NULL;
    return t->events[(t->event_count - 1 - i) % TOP_EVENTS_MAX];
}

/* ---- rates ----------------------------------------------------------------- */

/* The object of an array whose member has this value. */
static const json_t *same(const json_t *array, const char *member, const json_t *as)
{
    size_t i;
    const json_t *o, *value = json_object_get(as, member);

    json_array_foreach(array, i, o)
    {
        if (json_equal(json_object_get(o, member), value))
            return o;
    }
    return NULL;
}

static double rate_of(const struct top *t, const json_t *now, const json_t *before,
                      const char *member)
{
    uint64_t until = top_number(json_object_get(t->now, "daemon"), "uptime_us");
    uint64_t from = top_number(json_object_get(t->before, "daemon"), "uptime_us");
    uint64_t bytes = top_number(now, member), had = top_number(before, member);

    if (!before || until <= from || bytes < had)
        return 0;
    return (double)(bytes - had) * 8e6 / (double)(until - from);
}

static struct top_rate rates(const struct top *t, const json_t *now, const json_t *before,
                             const char *sent)
{
    return (struct top_rate){rate_of(t, now, before, sent),
                             rate_of(t, now, before, "bytes_received")};
}

struct top_rate top_subflow_rate(const struct top *t, const struct top_row *row,
                                 const json_t *subflow)
{
    const json_t *all = json_object_get(row->before, "subflows");

    return rates(t, subflow, same(all, "id", subflow), "bytes_sent");
}

struct top_rate top_path_rate(const struct top *t, const json_t *path)
{
    return rates(t, path, same(json_object_get(t->before, "paths"), "local", path), "bytes_sent");
}

/* ---- rows ------------------------------------------------------------------ */

static uint64_t best_rtt(const json_t *conn)
{
    uint64_t best = 0;
    size_t i;
    const json_t *s;

    json_array_foreach(json_object_get(conn, "subflows"), i, s)
    {
        uint64_t rtt = top_number(s, "srtt_us");
        if (rtt && !json_is_true(json_object_get(s, "closed")) && (!best || rtt < best))
            best = rtt;
    }
    return best;
}

static double key_of(const struct top_row *r, enum top_sort sort)
{
    switch (sort) {
    case TOP_BY_BYTES:
        return (double)(top_number(r->conn, "bytes_acked") + top_number(r->conn, "bytes_received"));
    case TOP_BY_RTT:
        return (double)best_rtt(r->conn);
    case TOP_BY_AGE:
        return (double)top_number(r->conn, "age_us");
    default:
        return r->rate.out + r->rate.in;
    }
}

static bool shown(const struct top *t, const json_t *conn)
{
    static const char *const members[] = {"program", "local",    "remote", "scheduler",
                                          "cc",      "fallback", NULL};

    if (!t->filter[0])
        return true;
    for (const char *const *m = members; *m; m++) {
        const char *value = json_string_value(json_object_get(conn, *m));
        if (value && strstr(value, t->filter))
            return true;
    }
    return false;
}

static int number_order(const struct top_row *a, const struct top_row *b)
{
    uint64_t x = top_number(a->conn, "conn"), y = top_number(b->conn, "conn");

    return x < y ? -1 : x > y;
}

static int by_key(const void *x, const void *y)
{
    const struct top_row *a = x, *b = y;

    return a->key > b->key ? -1 : a->key < b->key ? 1 : number_order(a, b);
}

static int by_name(const void *x, const void *y)
{
    const struct top_row *a = x, *b = y;
    int order = strcmp(top_string(a->conn, "program"), top_string(b->conn, "program"));

    return order ? order : number_order(a, b);
}

struct top_row *top_rows(const struct top *t, unsigned *count)
{
    const json_t *conn, *conns = json_object_get(t->now, "connections");
    struct top_row *rows = calloc(json_array_size(conns) + 1, sizeof *rows);
    unsigned n = 0;
    size_t i;

    json_array_foreach(conns, i, conn)
    {
        if (!rows || !shown(t, conn))
            continue;
        struct top_row *r = &rows[n++];
        r->conn = conn;
        r->before = same(json_object_get(t->before, "connections"), "conn", conn);
        r->rate = rates(t, conn, r->before, "bytes_acked");
        r->key = key_of(r, t->sort);
    }
    if (n)
        qsort(rows, n, sizeof *rows, t->sort == TOP_BY_NAME ? by_name : by_key);
    for (unsigned k = 0; t->reverse && k < n / 2; k++) {
        struct top_row r = rows[k];
        rows[k] = rows[n - 1 - k];
        rows[n - 1 - k] = r;
    }
    *count = n;
    return rows;
}
