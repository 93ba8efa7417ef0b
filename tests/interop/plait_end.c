/* SPDX-License-Identifier: MIT
 *
 * plait's end of a row: commands on standard input, a JSON object a line;
 * answers and the engine's events on standard output, likewise. kernel_end.py
 * takes the same commands for the kernel's sockets.
 *
 *   {"n": 1, "do": "open", "locals": ["10.1.1.1"], "config": {"checksum": true}}
 *   {"n": 2, "do": "connect", "addr": "10.1.1.2", "port": 4711}
 *   {"n": 3, "do": "write", "conn": 1, "bytes": 100000}
 *
 * An answer bears its command's n, and "error" where it failed. What takes time
 * (connect, write, read, finish, many, quit) is answered when it is done. A
 * connection is named by the id that the engine's events give it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/list.h"
#include "cli/report.h"
#include "host/events.h"
#include "host/host.h"
#include "pattern.h"

enum { LINE_MAX_BYTES = 1 << 16, READ_BYTES = 1 << 16, DRAIN_US = 30 * 1000 * 1000 };

static const uint64_t TO_THE_END = UINT64_MAX;

/* COMMANDED does what it is told. ECHO sends back what it gets, BATCH sends and
 * expects that; both end by themselves. */
enum stream_kind { COMMANDED, ECHO, BATCH };

struct stream {
    struct list link;
    struct plait_conn *conn;
    uint32_t id;
    enum stream_kind kind;
    int connect_n, write_n, read_n, finish_n; /* commands to be answered; 0: none */
    uint64_t written, write_goal, got, read_goal;
    bool shut, eof;
};

struct end {
    struct host *host;
    json_t *opened; /* the command `open`: the configuration points into it */
    struct list streams;
    struct plait_listener *listener; /* the latest */
    bool echo;                       /* what a listener makes of its connections */
    bool quit;
    int quit_n;
    int batch_n; /* the command `many` */
    unsigned batch_left, batch_failed;
    size_t line_len;
    char line[LINE_MAX_BYTES];
};

/* ---- answers --------------------------------------------------------------- */

static void say(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(object);
}

/* `fields`, NULL or an object that is taken over. */
static void answer(int n, json_t *fields)
{
    json_t *o = fields ? fields : json_object();

    json_object_set_new(o, "n", json_integer(n));
    say(o);
}

static void answer_error(int n, const char *text)
{
    answer(n, json_pack("{s:s}", "error", text));
}

static void answer_result(int n, int error)
{
    if (error)
        answer_error(n, plait_error_text(error));
    else
        answer(n, NULL);
}

static void show_event(void *ctx, const struct plait_event *event)
{
    char line[EVENT_LINE_MAX];

    (void)ctx;
    event_format(event, line);
    puts(line);
    fflush(stdout);
}

/* ---- streams ---------------------------------------------------------------- */

static struct stream *stream_new(struct end *e, struct plait_conn *conn, enum stream_kind kind)
{
    struct stream *s = calloc(1, sizeof *s);
    struct plait_conn_info info;

    if (!s)
        abort();
    plait_conn_info(conn, &info);
    plait_conn_set_user(conn, s);
    s->conn = conn;
    s->id = info.id;
    s->kind = kind;
    s->read_goal = kind == COMMANDED ? 0 : TO_THE_END;
    list_append(&e->streams, &s->link);
    return s;
}

static void stream_free(struct stream *s)
{
    list_remove(&s->link);
    free(s);
}

static json_t *progress_fields(const struct stream *s)
{
    return json_pack("{s:I s:I s:b}", "written", (json_int_t)s->written, "read", (json_int_t)s->got,
                     "eof", s->eof);
}

static void settle_command(const struct stream *s, int *n, const char *error)
{
    json_t *fields = progress_fields(s);

    if (*n == 0) {
        json_decref(fields);
        return;
    }
    if (error)
        json_object_set_new(fields, "error", json_string(error));
    answer(*n, fields);
    *n = 0;
}

static void stream_failed(struct stream *s, const char *error)
{
    settle_command(s, &s->connect_n, error);
    settle_command(s, &s->write_n, error);
    settle_command(s, &s->read_n, error);
    settle_command(s, &s->finish_n, error);
}

/* NULL, or what went wrong. */
static const char *stream_write(struct end *e, struct stream *s)
{
    while (s->written < s->write_goal) {
        size_t len;
        const uint8_t *bytes = pattern_at(s->written, &len);
        uint64_t left = s->write_goal - s->written;
        int64_t n = plait_conn_write(s->conn, bytes, len < left ? len : left, host_now(e->host));
        if (n == PLAIT_E_AGAIN)
            return NULL;
        if (n < 0)
            return plait_error_text((int)n);
        s->written += (uint64_t)n;
    }
    settle_command(s, &s->write_n, NULL);
    return NULL;
}

static const char *stream_read(struct end *e, struct stream *s)
{
    static uint8_t bytes[READ_BYTES];

    while (s->got < s->read_goal && !s->eof) {
        uint64_t left = s->read_goal - s->got;
        int64_t n = plait_conn_read(s->conn, bytes, left < READ_BYTES ? left : READ_BYTES,
                                    host_now(e->host));
        if (n == PLAIT_E_AGAIN)
            return NULL;
        if (n < 0)
            return plait_error_text((int)n);
        if (!pattern_matches(s->got, bytes, (size_t)n))
            return "wrong bytes arrived";
        s->got += (uint64_t)n;
        s->eof = n == 0;
    }
    if (s->read_n && s->eof && s->read_goal != TO_THE_END)
        return "the stream ended early";
    settle_command(s, &s->read_n, NULL);
    return NULL;
}

/* An ECHO or BATCH stream is over. */
static void stream_done(struct end *e, struct stream *s, const char *error)
{
    bool whole = !error && s->got == s->written;

    if (s->kind == BATCH) {
        e->batch_failed += !whole;
        if (--e->batch_left == 0)
            answer(e->batch_n, json_pack("{s:i}", "failed", (int)e->batch_failed));
    }
    plait_conn_close(s->conn, host_now(e->host));
    stream_free(s);
}

/* Move an ECHO or BATCH stream on. */
static void stream_by_itself(struct end *e, struct stream *s, const char *error)
{
    bool sent = s->written == s->write_goal && (s->kind == BATCH || s->eof);

    if (!error && sent && !s->shut) {
        plait_conn_shutdown(s->conn, PLAIT_SHUT_WR, host_now(e->host));
        s->shut = true;
    }
    if (error || (s->eof && plait_conn_poll(s->conn) & PLAIT_POLL_FINISHED))
        stream_done(e, s, error);
}

static void on_conn(void *ctx, struct plait_conn *conn)
{
    struct end *e = ctx;
    struct stream *s = plait_conn_user(conn);
    unsigned poll = plait_conn_poll(conn);
    const char *error = NULL;

    if (!s)
        return; /* not accepted yet */
    if (poll & PLAIT_POLL_CONNECTED)
        settle_command(s, &s->connect_n, NULL);
    if (poll & (PLAIT_POLL_READABLE | PLAIT_POLL_ERROR))
        error = stream_read(e, s);
    if (s->kind == ECHO)
        s->write_goal = s->got;
    if (!error && poll & (PLAIT_POLL_CONNECTED | PLAIT_POLL_WRITABLE))
        error = stream_write(e, s);
    if (!error && poll & PLAIT_POLL_FINISHED)
        settle_command(s, &s->finish_n, NULL);
    if (!error && poll & PLAIT_POLL_ERROR)
        error = plait_error_text(plait_conn_error(conn));
    if (s->kind != COMMANDED)
        stream_by_itself(e, s, error);
    else if (error)
        stream_failed(s, error);
}

static void on_listener(void *ctx, struct plait_listener *listener)
{
    struct end *e = ctx;
    struct plait_conn *conn;

    while ((conn = plait_accept(listener)) != NULL) {
        struct stream *s = stream_new(e, conn, e->echo ? ECHO : COMMANDED);
        say(json_pack("{s:s s:I}", "event", "accepted", "conn", (json_int_t)s->id));
        on_conn(e, conn);
    }
}

/* ---- arguments ----------------------------------------------------------------- */

static bool addr_arg(json_t *args, const char *name, struct plait_addr *out)
{
    const char *text = json_string_value(json_object_get(args, name));

    return text && addr_parse(text, out);
}

static uint64_t number_arg(json_t *args, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(args, name));
}

static bool flag_arg(json_t *args, const char *name)
{
    return json_is_true(json_object_get(args, name));
}

/* "addr" and "port". */
static bool remote_arg(json_t *args, struct plait_endpoint *out)
{
    out->port = (uint16_t)number_arg(args, "port");
    return addr_arg(args, "addr", &out->addr);
}

static struct plait_options options_arg(json_t *args)
{
    json_t *multipath = json_object_get(args, "multipath");
    const char *version = json_string_value(json_object_get(args, "version"));
    struct plait_options options = {0};

    if (multipath)
        options.multipath = json_is_true(multipath) ? PLAIT_MULTIPATH_ON : PLAIT_MULTIPATH_OFF;
    if (flag_arg(args, "fastopen"))
        options.fastopen = PLAIT_FASTOPEN_ON;
    if (version)
        options.version = strcmp(version, "0") == 0 ? PLAIT_VERSION_0 : PLAIT_VERSION_1;
    return options;
}

/* ---- commands ------------------------------------------------------------------ */

/* Fields of struct plait_config that a row may set. */
struct field {
    const char *name;
    size_t offset, size;
};
#define FIELD(f)                                                                                   \
    {                                                                                              \
#f, offsetof(struct plait_config, f), sizeof((struct plait_config *)0)->f                  \
    }
static const struct field fields[] = {
    FIELD(client_announces),
    FIELD(client_opens),
    FIELD(server_opens),
    FIELD(no_join_initial),
    FIELD(multipath),
    FIELD(checksum),
    FIELD(announce),
    FIELD(joins_accepted),
    FIELD(dsn64),
    FIELD(data_ack64),
    FIELD(syn_cookies),
    FIELD(fastclose_ack),
    FIELD(fastopen),
    FIELD(ecn),
    FIELD(race_delay_us),
    FIELD(subflows_max),
    FIELD(subflows_wanted),
    FIELD(addrs_accepted_max),
    FIELD(conns_max),
    FIELD(server_id),
    FIELD(servers),
    FIELD(backlog_max),
    FIELD(close_timeout_us),
    FIELD(time_wait_us),
    FIELD(add_addr_timeout_us),
};

static bool config_set(struct plait_config *config, const char *name, json_t *value)
{
    uint64_t number = json_is_true(value) ? 1 : (uint64_t)json_integer_value(value);

    if (strcmp(name, "path_manager") == 0)
        return (config->path_manager = json_string_value(value)) != NULL;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(fields[i].name, name) == 0) { /* little-endian hosts only, as the lab is */
            memcpy((char *)config + fields[i].offset, &number, fields[i].size);
            return true;
        }
    return false;
}

static void command_open(struct end *e, json_t *args, int n)
{
    struct host_options options;
    struct host_error err;
    json_t *value, *locals = json_object_get(args, "locals");
    const char *name;

    e->opened = json_incref(args);
    host_options_default(&options);
    options.engine.sink.emit = show_event;
    options.pcap_path = json_string_value(json_object_get(args, "pcap"));
    options.ports = (unsigned)number_arg(args, "ports");
    json_object_foreach(json_object_get(args, "config"), name,
                        value) if (!config_set(&options.engine, name,
                                               value)) return answer_error(n, name);
    for (size_t i = 0; i < json_array_size(locals) && i < HOST_LOCALS_MAX; i++)
        if (!addr_parse(json_string_value(json_array_get(locals, i)),
                        &options.locals[options.local_count++]))
            return answer_error(n, "locals");
    if (host_open(&options, &e->host, &err) != HOST_OK)
        return answer_error(n, err.text);
    host_callbacks(e->host, &(struct host_callbacks){e, on_conn, on_listener});
    answer(n, NULL);
}

static void command_listen(struct end *e, json_t *args, int n)
{
    struct plait_endpoint at = {.port = (uint16_t)number_arg(args, "port")};
    struct plait_options options = options_arg(args);
    struct host_error err;

    addr_arg(args, "addr", &at.addr); /* without: any */
    e->echo = flag_arg(args, "echo");
    if (host_listen(e->host, &at, &options, &e->listener, &err) != HOST_OK)
        return answer_error(n, err.text);
    answer(n, NULL);
}

static void command_unlisten(struct end *e, json_t *args, int n)
{
    (void)args;
    host_unlisten(e->host, e->listener);
    answer(n, NULL);
}

/* "race": [[local, remote], ...], in this order. */
static int race_to(struct end *e, json_t *pairs, uint16_t port, const struct plait_options *options,
                   struct plait_conn **conn)
{
    struct plait_candidate list[PLAIT_CANDIDATES_MAX] = {0};
    unsigned count = 0;
    json_t *pair;
    size_t i;

    json_array_foreach(pairs, i, pair)
    {
        struct plait_candidate *c = &list[count++];
        c->remote.port = port;
        if (count == PLAIT_CANDIDATES_MAX ||
            !addr_parse(json_string_value(json_array_get(pair, 0)), &c->local.addr) ||
            !addr_parse(json_string_value(json_array_get(pair, 1)), &c->remote.addr))
            return PLAIT_E_INVALID;
    }
    return plait_connect_race(host_stack(e->host), list, count, options, host_now(e->host), conn);
}

static struct stream *connect_to(struct end *e, json_t *args, enum stream_kind kind,
                                 struct host_error *err)
{
    struct plait_options options = options_arg(args);
    struct plait_endpoint remote, local = {0};
    struct plait_conn *conn;
    json_t *pairs = json_object_get(args, "race");

    if (!remote_arg(args, &remote)) {
        snprintf(err->text, sizeof err->text, "no address");
        return NULL;
    }
    addr_arg(args, "local", &local.addr);
    if (pairs) {
        int error = race_to(e, pairs, remote.port, &options, &conn);
        snprintf(err->text, sizeof err->text, "%s", plait_error_text(error));
        return error ? NULL : stream_new(e, conn, kind);
    }
    if (host_connect(e->host, &remote, local.addr.family ? &local : NULL, &options, &conn, err) !=
        HOST_OK)
        return NULL;
    return stream_new(e, conn, kind);
}

/* "bytes" are written at once: with Fast Open they are on the SYN. */
static void command_connect(struct end *e, json_t *args, int n)
{
    struct host_error err;
    struct stream *s = connect_to(e, args, COMMANDED, &err);

    if (!s)
        return answer_error(n, err.text);
    say(json_pack("{s:s s:I}", "event", "connecting", "conn", (json_int_t)s->id));
    s->connect_n = n;
    s->write_goal = number_arg(args, "bytes");
    on_conn(e, s->conn);
}

/* "count" connections at once, each sends "bytes" and gets them back. */
static void command_many(struct end *e, json_t *args, int n)
{
    uint64_t count = number_arg(args, "count");
    struct host_error err;

    e->batch_n = n;
    e->batch_failed = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct stream *s = connect_to(e, args, BATCH, &err);
        if (!s)
            return answer_error(n, err.text);
        s->write_goal = number_arg(args, "bytes");
        e->batch_left++;
    }
}

static void command_add_address(struct end *e, json_t *args, int n)
{
    struct plait_local local = {.mtu = 1500,
                                .port = (uint16_t)number_arg(args, "port"),
                                .prefix_len = (uint8_t)number_arg(args, "prefix_len"),
                                .backup = flag_arg(args, "backup"),
                                .no_subflow = flag_arg(args, "no_subflow"),
                                .no_announce = flag_arg(args, "no_announce")};

    if (!addr_arg(args, "addr", &local.addr))
        return answer_error(n, "no address");
    answer_result(n, plait_stack_add_addr(host_stack(e->host), &local, host_now(e->host)));
}

static void command_remove_address(struct end *e, json_t *args, int n)
{
    struct plait_addr addr;

    if (!addr_arg(args, "addr", &addr))
        return answer_error(n, "no address");
    answer_result(n, plait_stack_remove_addr(host_stack(e->host), &addr, host_now(e->host)));
}

static void command_counters(struct end *e, json_t *args, int n)
{
    (void)args;
    answer(n, json_pack("{s:o}", "counters", report_counters(host_stack(e->host))));
}

static void command_quit(struct end *e, json_t *args, int n)
{
    (void)args;
    e->quit = true;
    e->quit_n = n;
}

/* ---- commands on a connection ---------------------------------------------------- */

static void command_write(struct end *e, struct stream *s, json_t *args, int n)
{
    s->write_n = n;
    s->write_goal += number_arg(args, "bytes");
    on_conn(e, s->conn);
}

/* Until "bytes" more have come; without it, to the end of the stream. */
static void command_read(struct end *e, struct stream *s, json_t *args, int n)
{
    s->read_n = n;
    s->read_goal = json_object_get(args, "bytes") ? s->got + number_arg(args, "bytes") : TO_THE_END;
    on_conn(e, s->conn);
}

static void command_shutdown(struct end *e, struct stream *s, json_t *args, int n)
{
    (void)args;
    answer_result(n, plait_conn_shutdown(s->conn, PLAIT_SHUT_WR, host_now(e->host)));
}

/* Answered once the peer has acknowledged all that was written and its end. */
static void command_finish(struct end *e, struct stream *s, json_t *args, int n)
{
    (void)args;
    s->finish_n = n;
    on_conn(e, s->conn);
}

static void command_close(struct end *e, struct stream *s, json_t *args, int n)
{
    (void)args;
    plait_conn_close(s->conn, host_now(e->host));
    stream_free(s);
    answer(n, NULL);
}

static void command_abort(struct end *e, struct stream *s, json_t *args, int n)
{
    (void)args;
    plait_conn_abort(s->conn, host_now(e->host));
    stream_free(s);
    answer(n, NULL);
}

static void command_open_subflow(struct end *e, struct stream *s, json_t *args, int n)
{
    struct plait_endpoint remote, local = {0};

    if (!remote_arg(args, &remote) || !addr_arg(args, "local", &local.addr))
        return answer_error(n, "no address");
    answer_result(n, plait_conn_open_subflow(s->conn, &local, &remote, flag_arg(args, "backup"),
                                             host_now(e->host)));
}

static void command_close_subflow(struct end *e, struct stream *s, json_t *args, int n)
{
    answer_result(n, plait_conn_close_subflow(s->conn, (uint32_t)number_arg(args, "subflow"),
                                              host_now(e->host)));
}

static void command_set_backup(struct end *e, struct stream *s, json_t *args, int n)
{
    answer_result(n, plait_conn_set_backup(s->conn, (uint32_t)number_arg(args, "subflow"),
                                           flag_arg(args, "backup"), host_now(e->host)));
}

static void command_info(struct end *e, struct stream *s, json_t *args, int n)
{
    struct report report;
    json_t *o;

    (void)e;
    (void)args;
    report_take(&report, s->conn);
    o = report_json(&report);
    json_object_set_new(o, "token", json_integer(report.conn.token));
    answer(n, o);
}

/* ---- the loop ---------------------------------------------------------------------- */

static const struct command {
    const char *name;
    void (*run)(struct end *e, json_t *args, int n);
    void (*on_stream)(struct end *e, struct stream *s, json_t *args, int n);
} commands[] = {
    {"open", command_open, NULL},
    {"listen", command_listen, NULL},
    {"unlisten", command_unlisten, NULL},
    {"connect", command_connect, NULL},
    {"many", command_many, NULL},
    {"add_address", command_add_address, NULL},
    {"remove_address", command_remove_address, NULL},
    {"counters", command_counters, NULL},
    {"quit", command_quit, NULL},
    {"write", NULL, command_write},
    {"read", NULL, command_read},
    {"shutdown", NULL, command_shutdown},
    {"finish", NULL, command_finish},
    {"close", NULL, command_close},
    {"abort", NULL, command_abort},
    {"open_subflow", NULL, command_open_subflow},
    {"close_subflow", NULL, command_close_subflow},
    {"set_backup", NULL, command_set_backup},
    {"info", NULL, command_info},
};

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; name && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static struct stream *stream_find(struct end *e, uint64_t id)
{
    list_each(s, &e->streams, struct stream, link)
        if (s->id == id)
            return s;
    return NULL;
}

static void obey(struct end *e, json_t *args)
{
    const struct command *c = command_find(json_string_value(json_object_get(args, "do")));
    int n = (int)number_arg(args, "n");
    struct stream *s;

    if (!c)
        return answer_error(n, "there is no such command");
    if (!e->host && c->run != command_open)
        return answer_error(n, "not open");
    if (c->run)
        return c->run(e, args, n);
    s = stream_find(e, number_arg(args, "conn"));
    if (!s)
        return answer_error(n, "there is no such connection");
    c->on_stream(e, s, args, n);
}

static void on_line(struct end *e, const char *line)
{
    json_t *args = json_loads(line, 0, NULL);

    if (args)
        obey(e, args);
    else
        answer_error(0, "that is not JSON");
    json_decref(args);
}

static void on_input(void *ctx, int fd, unsigned events)
{
    struct end *e = ctx;
    ssize_t n = read(fd, e->line + e->line_len, LINE_MAX_BYTES - 1 - e->line_len);
    char *start = e->line, *newline;

    (void)events;
    if (n <= 0) {
        e->quit = true;
        return;
    }
    e->line_len += (size_t)n;
    e->line[e->line_len] = '\0';
    while ((newline = strchr(start, '\n')) != NULL) {
        *newline = '\0';
        on_line(e, start);
        start = newline + 1;
    }
    e->line_len -= (size_t)(start - e->line);
    memmove(e->line, start, e->line_len);
}

/* The first command makes the host whose loop then reads the others. */
static bool open_first(struct end *e)
{
    while (!e->host && !e->quit)
        on_input(e, STDIN_FILENO, 0);
    return e->host && host_watch(e->host, STDIN_FILENO, HOST_IN, on_input, e) == 0;
}

int main(void)
{
    static struct end e;
    bool drained;

    list_init(&e.streams);
    if (!open_first(&e))
        return 1;
    while (!e.quit)
        if (host_step(e.host, UINT64_MAX) < 0)
            return 1;
    list_each(s, &e.streams, struct stream, link) {
        plait_conn_close(s->conn, host_now(e.host));
        stream_free(s);
    }
    drained = host_drain(e.host, DRAIN_US);
    if (e.quit_n)
        answer(e.quit_n, json_pack("{s:b s:o}", "drained", drained, "counters",
                                   report_counters(host_stack(e.host))));
    host_close(e.host);
    json_decref(e.opened);
    return 0;
}
