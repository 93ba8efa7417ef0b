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
#include "daemon/members.h"
#include "daemon/state.h"

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

    if (!member_number(request, "conn", &id, &given, answer))
        return NULL;
    struct carried *c = given ? daemon_find(d, id) : NULL;
    if (c && caller_may(&asker->caller, &c->owner))
        return c;
    *answer = given ? control_failed(CONTROL_NO_CONNECTION, "there is no connection %u", id)
                    : member_wrong("conn", "missing: say which connection");
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

/* ---- close --------------------------------------------------------------- */

static json_t *do_close(struct daemon *d, struct asker *asker, const json_t *request)
{
    json_t *answer = NULL;
    uint32_t subflow;
    bool given;
    struct carried *c = conn_of(d, asker, request, &answer);

    if (!c || !member_number(request, "subflow", &subflow, &given, &answer))
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

    if (!member_text(request, name, &text, answer))
        return false;
    if (text && endpoint_parse(text, out))
        return true;
    *answer = member_wrong(name, "an address, with or without a port");
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
        !member_flag(request, "backup", &backup, &answer))
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
    return member_text(request, "scheduler", &s->scheduler, answer) &&
           member_text(request, "cc", &s->cc, answer) &&
           member_text(request, "path_manager", &s->path_manager, answer) &&
           member_flag(request, "backup", &s->backup, answer) &&
           member_number(request, "subflow", &s->subflow, &s->subflow_given, answer) &&
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
        return member_wrong("subflow", "a connection's: say which connection");
    if (strlen(longest) >= sizeof d->names[0])
        return member_wrong("scheduler", "too long");
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
        return member_wrong("path_manager", "fixed once a connection has begun");
    if ((s.backup >= 0) != s.subflow_given)
        return member_wrong("backup", "a subflow's: say which, and true or false");
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

    if (!member_flag(request, name, &value, answer))
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

    if (!member_text(request, "addr", &text, &answer))
        return answer;
    if (!text)
        return addrs_json(d);
    if (!caller_may(&asker->caller, NULL))
        return control_failed(CONTROL_NOT_PERMITTED,
                              "how addresses are used is set by root or the daemon's user");
    if (!addr_parse(text, &a.addr))
        return member_wrong("addr", "an IP address");
    host_address_get(d->host, &a);
    if (!take_flag(request, "used", HOST_ADDRESS_UNUSED, false, &a.flags, &answer) ||
        !take_flag(request, "backup", HOST_ADDRESS_BACKUP, true, &a.flags, &answer) ||
        !take_flag(request, "subflow", HOST_ADDRESS_NO_SUBFLOW, false, &a.flags, &answer) ||
        !take_flag(request, "announced", HOST_ADDRESS_NO_ANNOUNCE, false, &a.flags, &answer) ||
        !member_number(request, "port", &port, &given, &answer))
        return answer;
    if (given && port > UINT16_MAX)
        return member_wrong("port", "a number up to 65535");
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
    {"status", status_answer}, {"close", do_close},   {"open", do_open}, {"set", do_set},
    {"addr", do_addr},         {"events", do_events}, {"stop", do_stop},
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
