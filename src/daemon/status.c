/* SPDX-License-Identifier: MIT
 *
 * plait status: what this daemon and its connections are doing (docs/control.md).
 */
#include <unistd.h>

#include "base/addr.h"
#include "control/control.h"
#include "control/report.h"
#include "daemon/clients.h"
#include "daemon/members.h"
#include "daemon/state.h"

static json_t *conn_json(const struct daemon *d, const struct carried *c)
{
    char local[ENDPOINT_TEXT_MAX], remote[ENDPOINT_TEXT_MAX];
    struct report r;

    report_take(&r, c->conn);
    json_t *o = report_json(&r);
    json_t *more =
        json_pack("{s:I s:s s:I s:I s:s s:s s:b s:b s:I}", "conn", (json_int_t)c->id, "program",
                  c->owner.program, "pid", (json_int_t)c->owner.pid, "uid",
                  (json_int_t)c->owner.uid, "local", endpoint_format(&r.conn.local, local),
                  "remote", endpoint_format(&r.conn.remote, remote), "client", r.conn.client,
                  "established", r.conn.established, "age_us",
                  (json_int_t)(host_now(d->host) - c->since_us));

    if (more)
        json_object_update_new(o, more);
    return o;
}

static json_t *daemon_json(const struct daemon *d)
{
    struct plait_memory m;

    plait_stack_memory(host_stack(d->host), &m);
    json_t *memory = json_object();
    report_numbers(memory,
                   (const struct report_number[]){{"used_bytes", m.used_bytes},
                                                  {"peak_bytes", m.peak_bytes},
                                                  {"held_bytes", m.held_bytes},
                                                  {"connections", m.conns},
                                                  {"subflows", m.subflows},
                                                  {"asleep", m.conns_asleep}},
                   6);
    return json_pack("{s:I s:I s:s s:s s:o}", "pid", (json_int_t)getpid(), "uptime_us",
                     (json_int_t)(host_now(d->host) - d->opened_us), "driver",
                     host_driver(d->host)->describe, "why", host_driver_why(d->host), "memory",
                     memory);
}

static json_t *listeners_json(const struct daemon *d, const struct caller *caller)
{
    json_t *all = json_array();
    char local[ENDPOINT_TEXT_MAX];

    for (const struct list *l = d->offered.next; l != &d->offered; l = l->next) {
        const struct offered *o = list_entry(l, struct offered, link);
        if (caller_may(caller, &o->owner))
            json_array_append_new(all, json_pack("{s:s s:s s:I s:I}", "local",
                                                 endpoint_format(&o->local, local), "program",
                                                 o->owner.program, "pid", (json_int_t)o->owner.pid,
                                                 "uid", (json_int_t)o->owner.uid));
    }
    return all;
}

/* Of the `limit` youngest that the caller may see; *more: how many others there are. */
static json_t *conns_json(const struct daemon *d, const struct caller *caller, unsigned limit,
                          unsigned *more)
{
    json_t *all = json_array();

    *more = 0;
    for (const struct list *l = d->carried.prev; l != &d->carried; l = l->prev) {
        const struct carried *c = list_entry(l, struct carried, link);
        if (!caller_may(caller, &c->owner))
            continue;
        if (json_array_size(all) < limit)
            json_array_insert_new(all, 0, conn_json(d, c));
        else
            ++*more;
    }
    return all;
}

/* What is about everybody's connections together. */
static void add_totals(const struct daemon *d, json_t *answer)
{
    json_object_set_new(answer, "paths", totals_paths(&d->totals, &d->carried));
    json_object_set_new(answer, "reasons", totals_reasons(&d->totals));
    if (!d->page)
        return;
    json_object_set_new(answer, "page", json_string(d->page));
    json_object_set_new(answer, "page_token", json_string(d->page_token));
}

json_t *status_answer(struct daemon *d, struct asker *asker, const json_t *request)
{
    json_t *answer = NULL;
    const struct caller *caller = &asker->caller;
    unsigned more;
    uint32_t limit;
    int counters;
    bool limited;

    if (!member_flag(request, "counters", &counters, &answer) ||
        !member_number(request, "limit", &limit, &limited, &answer))
        return answer;
    json_t *conns = conns_json(d, caller, limited ? limit : UINT32_MAX, &more);
    answer = json_pack("{s:o s:o s:I s:o}", "daemon", daemon_json(d), "connections", conns, "more",
                       (json_int_t)more, "listeners", listeners_json(d, caller));
    if (caller_may(caller, NULL))
        add_totals(d, answer);
    if (counters == 1)
        json_object_set_new(answer, "counters", report_counters(host_stack(d->host)));
    return control_ok(answer);
}
