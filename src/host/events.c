/* SPDX-License-Identifier: MIT
 *
 * Everything written is a number, an address, or a name from our own tables,
 * so nothing needs escaping.
 */
#include "host/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/addr.h"

struct line {
    char *buf;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *format, ...)
{
    size_t room = EVENT_LINE_MAX - l->len;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(l->buf + l->len, room, format, args);
    va_end(args);
    if (n > 0)
        l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void put_endpoint(struct line *l, const char *name, const struct plait_endpoint *e)
{
    char text[ENDPOINT_TEXT_MAX];

    if (e->addr.family != PLAIT_NONE)
        put(l, ",\"%s\":\"%s\"", name, endpoint_format(e, text));
}

size_t event_format(const struct plait_event *e, char line[EVENT_LINE_MAX])
{
    struct line l = {line, 0};

    put(&l, "{\"time_us\":%" PRIu64 ",\"event\":\"%s\"", e->time_us, plait_event_name(e->type));
    if (e->conn_id)
        put(&l, ",\"conn\":%" PRIu32, e->conn_id);
    if (e->subflow_id)
        put(&l, ",\"subflow\":%" PRIu32, e->subflow_id);
    put_endpoint(&l, "local", &e->local);
    put_endpoint(&l, "remote", &e->remote);
    for (unsigned i = 0; i < 4; i++) {
        const char *name = plait_event_arg_name(e->type, i);
        if (name && strcmp(name, "error") == 0) /* the one that may be negative */
            put(&l, ",\"%s\":%" PRId64, name, (int64_t)e->arg[i]);
        else if (name)
            put(&l, ",\"%s\":%" PRIu64, name, e->arg[i]);
    }
    if (e->why != PLAIT_WHY_NONE)
        put(&l, ",\"reason\":\"%s\"", plait_reason_name(e->why));
    put(&l, "}");
    return l.len;
}

int event_file_open(struct event_file *f, const char *path, const struct plait_event_sink *next)
{
    f->next = *next;
    f->file = strcmp(path, "-") == 0 ? stderr : fopen(path, "we");
    return f->file ? 0 : -errno;
}

void event_file_driver(const struct event_file *f, uint64_t now_us, const char *name,
                       const char *why)
{
    fprintf(f->file,
            "{\"time_us\":%" PRIu64 ",\"event\":\"driver\",\"driver\":\"%s\",\"why\":\"%s\"}\n",
            now_us, name, why);
}

void event_file_close(struct event_file *f)
{
    if (f->file && f->file != stderr)
        fclose(f->file);
    f->file = NULL;
}

void event_file_emit(void *ctx, const struct plait_event *e)
{
    struct event_file *f = ctx;
    char line[EVENT_LINE_MAX];

    if (f->file) {
        event_format(e, line);
        fprintf(f->file, "%s\n", line);
    }
    if (f->next.emit)
        f->next.emit(f->next.ctx, e);
}
