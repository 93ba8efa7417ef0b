/* SPDX-License-Identifier: MIT
 *
 * What the control socket is asked (docs/control.md): one function a request,
 * a table of them. What comes in is checked member by member; nothing of a
 * request is done before all of it is known to be right.
 */
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "control/control.h"
#include "control/report.h"
#include "daemon/clients.h"
#include "daemon/state.h"

/* ---- reading a request --------------------------------------------------- */

static json_t *wrong(const char *name, const char *kind)
{
    return control_failed(CONTROL_BAD_REQUEST, "\"%s\" is %s", name, kind);
}

/* Optional members: false and *answer where they are of the wrong kind. */
static bool number_of(const json_t *request, const char *name, uint32_t *out, bool *given,
                      json_t **answer)
{
    const json_t *value = json_object_get(request, name);

    *given = value != NULL;
    json_int_t number = value ? json_integer_value(value) : 0;
    if (value && (!json_is_integer(value) || number < 0 || number > UINT32_MAX)) {
        *answer = wrong(name, "a number from 0 to 4294967295");
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

static bool text_of(const json_t *request, const char *name, const char **out, json_t **answer)
{
    const json_t *value = json_object_get(request, name);

    *out = value ? json_string_value(value) : NULL;
    if (value && !*out)
        *answer = wrong(name, "a text");
    return !value || *out;
}

/* -1: not given. */
static bool flag_of(const json_t *request, const char *name, int *out, json_t **answer)
{
    const json_t *value = json_object_get(request, name);

    *out = value ? json_is_true(value) : -1;
    if (value && !json_is_boolean(value))
        *answer = wrong(name, "true or false");
    return !value || json_is_boolean(value);
}

static json_t *failed_with(int error)
{
    return control_failed(CONTROL_FAILED, "%s", plait_error_text(error));
}

/* The connection that "conn" names, if this client may know of it. */
static struct carried *conn_of(struct daemon *d, const struct asker *asker, const json_t *request,
                               json_t **answer)
{
    uint32_t id;
    bool given;

    if (!number_of(request, "conn", &id, &given, answer))
        return NULL;
    struct carried *c = given ? daemon_find(d, id) : NULL;
    if (c && caller_may(&asker->caller, &c->owner))
        return c;
    *answer = given ? control_failed(CONTROL_NO_CONNECTION, "there is no connection %u", id)
                    : wrong("conn", "missing: say which connection");
    return NULL;
}

static bool subflow_there(const struct carried *c, uint32_t id)
{
    struct plait_subflow_info paths[REPORT_PATHS_MAX];
    unsigned count = plait_conn_subflows(c->conn, paths, REPORT_PATHS_MAX);

    for (unsigned i = 0; i < count && i < REPORT_PATHS_MAX; i++)
        if (paths[i].id == id && !paths[i].closed)
            return true;
    return false;
}

static json_t *no_subflow(uint32_t id)
{
    return control_failed(CONTROL_NO_SUBFLOW, "the connection has no open subflow %u", id);
}

/* ---- status -------------------------------------------------------------- */

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

static json_t *do_status(struct daemon *d, struct asker *asker, const json_t *request)
{
    json_t *answer = NULL, *conns = json_array();
    const struct caller *caller = &asker->caller;
    int counters;

    if (!flag_of(request, "counters", &counters, &answer)) {
        json_decref(conns);
        return answer;
    }
    for (const struct list *l = d->carried.next; l != &d->carried; l = l->next) {
        const struct carried *c = list_entry(l, struct carried, link);
        if (caller_may(caller, &c->owner))
            json_array_append_new(conns, conn_json(d, c));
    }
    answer = json_pack("{s:o s:o s:o}", "daemon", daemon_json(d), "connections", conns, "listeners",
                       listeners_json(d, caller));
    if (counters == 1)
        json_object_set_new(answer, "counters", report_counters(host_stack(d->host)));
    return control_ok(answer);
}

/* ---- close --------------------------------------------------------------- */

static json_t *do_close(struct daemon *d, struct asker *asker, const json_t *request)
{
    json_t *answer = NULL;
    uint32_t subflow;
    bool given;
    struct carried *c = conn_of(d, asker, request, &answer);

    if (!c || !number_of(request, "subflow", &subflow, &given, &answer))
        return answer;
    if (!given) {
        c->abort(c);
        return control_ok(NULL);
    }
    if (!subflow_there(c, subflow))
        return no_subflow(subflow);
    int error = plait_conn_close_subflow(c->conn, subflow, host_now(d->host));
    return error ? failed_with(error) : control_ok(NULL);
}

/* ---- open ---------------------------------------------------------------- */

static bool endpoint_of(const json_t *request, const char *name, struct plait_endpoint *out,
                        json_t **answer)
{
    const char *text;

    if (!text_of(request, name, &text, answer))
        return false;
    if (text && endpoint_parse(text, out))
        return true;
    *answer = wrong(name, "an address, with or without a port");
    return false;
}

static json_t *do_open(struct daemon *d, struct asker *asker, const json_t *request)
{
    json_t *answer = NULL;
    struct plait_endpoint local = {0}, remote = {0};
    struct plait_conn_info info;
    int backup;
    struct carried *c = conn_of(d, asker, request, &answer);

    if (!c || !endpoint_of(request, "local", &local, &answer) ||
        !flag_of(request, "backup", &backup, &answer))
        return answer;
    plait_conn_info(c->conn, &info);
    remote = info.remote;
    if (json_object_get(request, "remote") && !endpoint_of(request, "remote", &remote, &answer))
        return answer;
    int error = plait_conn_open_subflow(c->conn, &local, &remote, backup == 1, host_now(d->host));
    return error ? failed_with(error) : control_ok(NULL);
}

/* ---- set ----------------------------------------------------------------- */

struct settings {
    const char *scheduler, *cc, *path_manager; /* NULL: as it is */
    int backup;                                /* -1: as it is */
    uint32_t subflow;
    bool subflow_given;
};

static bool known_names(const struct settings *s, json_t **answer)
{
    const char *unknown = s->scheduler && !plait_sched_find(s->scheduler)      ? s->scheduler
                          : s->cc && !plait_cc_find(s->cc)                     ? s->cc
                          : s->path_manager && !plait_pm_find(s->path_manager) ? s->path_manager
                                                                               : NULL;
    if (unknown)
        *answer = control_failed(CONTROL_UNKNOWN_NAME, "there is none with the name '%s'", unknown);
    return !unknown;
}

static bool settings_of(const json_t *request, struct settings *s, json_t **answer)
{
    return text_of(request, "scheduler", &s->scheduler, answer) &&
           text_of(request, "cc", &s->cc, answer) &&
           text_of(request, "path_manager", &s->path_manager, answer) &&
           flag_of(request, "backup", &s->backup, answer) &&
           number_of(request, "subflow", &s->subflow, &s->subflow_given, answer) &&
           known_names(s, answer);
}

static void keep_name(struct daemon *d, unsigned i, const char *name, const char **into)
{
    if (!name)
        return;
    size_t len = strlen(name);
    if (len >= sizeof d->names[i])
        len = sizeof d->names[i] - 1;
    memmove(d->names[i], name, len);
    d->names[i][len] = 0;
    *into = d->names[i];
}

/* For connections to come. */
static json_t *set_defaults(struct daemon *d, const struct asker *asker, const struct settings *s)
{
    const char *longest = s->scheduler ? s->scheduler : "";

    if (!caller_may(&asker->caller, NULL))
        return control_failed(CONTROL_NOT_PERMITTED,
                              "what new connections begin with is set by root or the daemon's "
                              "user; name a connection of yours");
    if (s->backup >= 0 || s->subflow_given)
        return wrong("subflow", "a connection's: say which connection");
    if (strlen(longest) >= sizeof d->names[0])
        return wrong("scheduler", "too long");
    keep_name(d, 0, s->scheduler, &d->defaults.scheduler);
    keep_name(d, 1, s->cc, &d->defaults.cc);
    keep_name(d, 2, s->path_manager, &d->defaults.path_manager);
    return control_ok(NULL);
}

static json_t *do_set(struct daemon *d, struct asker *asker, const json_t *request)
{
    json_t *answer = NULL;
    struct settings s;
    int error = 0;

    if (!settings_of(request, &s, &answer))
        return answer;
    if (!json_object_get(request, "conn"))
        return set_defaults(d, asker, &s);
    struct carried *c = conn_of(d, asker, request, &answer);
    if (!c)
        return answer;
    if (s.path_manager)
        return wrong("path_manager", "fixed once a connection has begun");
    if ((s.backup >= 0) != s.subflow_given)
        return wrong("backup", "a subflow's: say which, and true or false");
    if (s.subflow_given && !subflow_there(c, s.subflow))
        return no_subflow(s.subflow);
    if (s.scheduler)
        error = plait_conn_set_scheduler(c->conn, s.scheduler, host_now(d->host));
    if (!error && s.cc)
        error = plait_conn_set_cc(c->conn, s.cc, host_now(d->host));
    if (!error && s.subflow_given)
        error = plait_conn_set_backup(c->conn, s.subflow, s.backup == 1, host_now(d->host));
    return error ? failed_with(error) : control_ok(NULL);
}

/* ---- addresses ----------------------------------------------------------- */

static json_t *addr_json(const struct host_address *a)
{
    char text[ADDR_TEXT_MAX];

    return json_pack("{s:s s:b s:b s:b s:b s:b s:i s:i}", "addr", addr_format(&a->addr, text),
                     "present", a->present, "used", !(a->flags & HOST_ADDRESS_UNUSED), "backup",
                     (a->flags & HOST_ADDRESS_BACKUP) != 0, "subflow",
                     !(a->flags & HOST_ADDRESS_NO_SUBFLOW), "announced",
                     !(a->flags & HOST_ADDRESS_NO_ANNOUNCE), "port", (int)a->port, "link",
                     (int)a->link);
}

static json_t *addrs_json(const struct daemon *d)
{
    struct host_address list[HOST_ADDRESSES_MAX];
    unsigned count = host_addresses(d->host, list, HOST_ADDRESSES_MAX);
    json_t *all = json_array();

    for (unsigned i = 0; i < count; i++)
        json_array_append_new(all, addr_json(&list[i]));
    return control_ok(json_pack("{s:o}", "addresses", all));
}

/* One flag of the request into `flags`; `on`: what true means. */
static bool take_flag(const json_t *request, const char *name, unsigned bit, bool on,
                      unsigned *flags, json_t **answer)
{
    int value;

    if (!flag_of(request, name, &value, answer))
        return false;
    if (value >= 0)
        *flags = (value == 1) == on ? *flags | bit : *flags & ~bit;
    return true;
}

static json_t *do_addr(struct daemon *d, struct asker *asker, const json_t *request)
{
    json_t *answer = NULL;
    const char *text;
    struct host_address a = {0};
    bool given;
    uint32_t port;

    if (!text_of(request, "addr", &text, &answer))
        return answer;
    if (!text)
        return addrs_json(d);
    if (!caller_may(&asker->caller, NULL))
        return control_failed(CONTROL_NOT_PERMITTED,
                              "how addresses are used is set by root or the daemon's user");
    if (!addr_parse(text, &a.addr))
        return wrong("addr", "an IP address");
    host_address_get(d->host, &a);
    if (!take_flag(request, "used", HOST_ADDRESS_UNUSED, false, &a.flags, &answer) ||
        !take_flag(request, "backup", HOST_ADDRESS_BACKUP, true, &a.flags, &answer) ||
        !take_flag(request, "subflow", HOST_ADDRESS_NO_SUBFLOW, false, &a.flags, &answer) ||
        !take_flag(request, "announced", HOST_ADDRESS_NO_ANNOUNCE, false, &a.flags, &answer) ||
        !number_of(request, "port", &port, &given, &answer))
        return answer;
    if (given && port > UINT16_MAX)
        return wrong("port", "a number up to 65535");
    if (given)
        a.port = (uint16_t)port;
    struct host_error err;
    if (host_address_set(d->host, &a, &err) != HOST_OK)
        return control_failed(CONTROL_FAILED, "%s", err.text);
    return control_ok(NULL);
}

/* ---- events, stop -------------------------------------------------------- */

static json_t *do_events(struct daemon *d, struct asker *asker, const json_t *request)
{
    json_t *answer = NULL;

    if (!json_object_get(request, "conn")) {
        asker->subscribed = true;
        asker->conn_id = 0;
        return control_ok(NULL);
    }
    struct carried *c = conn_of(d, asker, request, &answer);
    if (!c)
        return answer;
    asker->subscribed = true;
    asker->conn_id = c->id;
    return control_ok(NULL);
}

static json_t *do_stop(struct daemon *d, struct asker *asker, const json_t *request)
{
    (void)request;
    if (!caller_may(&asker->caller, NULL))
        return control_failed(CONTROL_NOT_PERMITTED, "root and the daemon's user stop it");
    daemon_stop(d);
    return control_ok(NULL);
}

/* ---- the table ----------------------------------------------------------- */

static const struct {
    const char *name;
    json_t *(*answer)(struct daemon *d, struct asker *asker, const json_t *request);
} requests[] = {
    {"status", do_status}, {"close", do_close},   {"open", do_open}, {"set", do_set},
    {"addr", do_addr},     {"events", do_events}, {"stop", do_stop},
};

json_t *request_answer(struct daemon *d, struct asker *asker, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "do"));

    for (unsigned i = 0; i < sizeof requests / sizeof requests[0]; i++)
        if (strcmp(name, requests[i].name) == 0)
            return requests[i].answer(d, asker, request);
    return control_failed(CONTROL_BAD_REQUEST,
                          "there are: status, close, open, set, addr, events, stop");
}
