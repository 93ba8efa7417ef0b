/* SPDX-License-Identifier: MIT
 *
 * One cell of the middlebox matrix: the world, the transfer, the verdict.
 */
#include "sim/matrix.h"

#include <stdlib.h>
#include <string.h>

#include "sim/stream.h"

enum { BYTES = 300000, MTU = 1500, RTT_US = 20000, LIMIT_S = 900, RELEASE_S = 400 };
#define PATH "rate=20mbit,delay=10ms,queue=200kB"
#define SECOND UINT64_C(1000000)

/* ---- coordinates ------------------------------------------------------------------------ */

struct matrix_cell matrix_cell(unsigned n)
{
    return (struct matrix_cell){.place = n / 8 % PLACE_COUNT,
                                .version = n & 4 ? 0 : 1,
                                .checksum = !(n & 2),
                                .to_client = n & 1};
}

char *matrix_cell_text(const struct matrix_cell *c, char *buf, size_t size)
{
    static const char *const places[] = {"only path", "first path", "joined path"};
    snprintf(buf, size, "v%u, checksums %s, %s, to the %s", c->version, c->checksum ? "on" : "off",
             places[c->place], c->to_client ? "client" : "server");
    return buf;
}

const struct matrix_expect *matrix_expect(const struct matrix_row *row, const struct matrix_cell *c)
{
    const struct matrix_expect *u = &row->unprotected[c->place];
    return !c->checksum && u->end ? u : &row->expect[c->place];
}

/* ---- boxes ------------------------------------------------------------------------------ */

static void parse_box(const char *text, size_t len, bool to_client, struct box_spec *out)
{
    static const char *const dirs[] = {"there", "back"};
    char full[BOX_TEXT_MAX], error[BOX_ERROR_MAX];
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '@' || text[i] == '~')
            n += (size_t)snprintf(full + n, sizeof full - n, "%s",
                                  dirs[(text[i] == '@') == to_client]);
        else
            full[n++] = text[i];
    }
    full[n] = '\0';
    if (!box_spec_parse(full, out, error)) {
        fprintf(stderr, "%s: %s\n", full, error);
        abort();
    }
}

unsigned matrix_boxes(const struct matrix_row *row, const struct matrix_cell *c,
                      struct box_spec *out)
{
    struct box_spec given[BOXES_MAX];
    unsigned count = 0;
    for (const char *at = row->boxes; *at;) {
        size_t len = strcspn(at, " ");
        parse_box(at, len, c->to_client, &given[count++]);
        at += len + (at[len] == ' ');
    }
    for (unsigned i = 0; i < count; i++)
        out[i] = given[c->to_client ? count - 1 - i : i];
    return count;
}

/* ---- the data --------------------------------------------------------------------------- */

/* What is sent and what arrives: compared with what was written, and with what
 * a box that rewrites payload makes of that. */
struct transfer {
    uint8_t sent[BYTES], boxed[BYTES + 64], got[BYTES + 64];
    size_t boxed_len, got_len;
    bool too_much;
};

static size_t fill(void *ctx, uint64_t offset, uint8_t *buf, size_t len)
{
    struct transfer *t = ctx;
    size_t left = BYTES - (size_t)offset;
    if (len > left)
        len = left;
    memcpy(buf, t->sent + offset, len);
    return len;
}

static void drain(void *ctx, uint64_t offset, const uint8_t *data, size_t len)
{
    struct transfer *t = ctx;
    if (offset + len > sizeof t->got) {
        t->too_much = true;
        return;
    }
    memcpy(t->got + offset, data, len);
    t->got_len = (size_t)offset + len;
}

static enum matrix_data judge_data(const struct transfer *t)
{
    if (t->too_much)
        return DATA_WRONG;
    if (t->got_len == BYTES && memcmp(t->got, t->sent, BYTES) == 0)
        return DATA_INTACT;
    if (t->got_len < BYTES && memcmp(t->got, t->sent, t->got_len) == 0)
        return DATA_PART;
    if (t->got_len <= t->boxed_len && memcmp(t->got, t->boxed, t->got_len) == 0)
        return DATA_BOXED;
    return DATA_WRONG;
}

/* ---- the world -------------------------------------------------------------------------- */

struct cell {
    struct sim sim;
    struct host *host[2];
    struct stream *stream;
    struct path path[2];
    struct transfer transfer;
};

static struct host *make_host(struct cell *w, const struct matrix_cell *c, const char *name)
{
    struct plait_config config;
    plait_config_default(&config);
    config.version = c->version ? PLAIT_VERSION_1 : PLAIT_VERSION_0;
    config.checksum = c->checksum;
    config.data_retries = 8; /* a minute and a half: dead paths are found dead sooner */
    config.keepalive_idle_us = 60 * SECOND;
    return sim_host(&w->sim, name, &config);
}

static void build(struct cell *w, const struct matrix_row *row, const struct matrix_cell *c)
{
    struct box_spec boxes[BOXES_MAX];
    struct iface *client[2], *server;
    sim_init(&w->sim, 1, SECOND);
    w->sim.check = true;
    w->host[0] = make_host(w, c, "client");
    w->host[1] = make_host(w, c, "server");
    server = host_iface(w->host[1], "10.0.1.2", MTU);
    for (unsigned i = 0; i < (c->place == PLACE_ONLY ? 1 : 2); i++) {
        client[i] = host_iface(w->host[0], i ? "10.0.2.1" : "10.0.1.1", MTU);
        w->path[i] = sim_path_spec(&w->sim, client[i], server, PATH);
    }
    for (unsigned i = 0, n = row ? matrix_boxes(row, c, boxes) : 0; i < n; i++)
        sim_box_spec(&w->sim, &w->path[c->place == PLACE_JOINED], &boxes[i]);
    pattern_fill(7, 0, w->transfer.sent, BYTES);
    w->transfer.boxed_len = BYTES;
    memcpy(w->transfer.boxed, w->transfer.sent, BYTES);
    for (unsigned i = 0, n = row ? matrix_boxes(row, c, boxes) : 0; i < n; i++)
        w->transfer.boxed_len = box_rewrites(&boxes[i], w->transfer.boxed, w->transfer.boxed_len);
    const struct side_config writes = {.source = fill, .ctx = &w->transfer};
    const struct side_config reads = {.drain = drain, .ctx = &w->transfer, .end = END_AFTER_EOF};
    w->stream =
        stream_new(&w->sim, w->host[0], client[0], server, w->sim.now_us,
                   c->to_client ? &reads : &writes, c->to_client ? &writes : &reads, NULL, NULL);
}

/* ---- the verdict ------------------------------------------------------------------------ */

static bool nothing_left(void *ctx)
{
    struct cell *w = ctx;
    for (unsigned i = 0; i < 2; i++) {
        struct plait_memory m;
        plait_stack_memory(w->host[i]->stack, &m);
        if (m.conns || m.subflows)
            return false;
    }
    return true;
}

/* The first reason there is: of a fallback, then of a subflow's early end. */
static enum plait_reason reason(const struct cell *w)
{
    static const enum plait_event_type types[] = {PLAIT_EV_CONN_FALLBACK, PLAIT_EV_SUBFLOW_CLOSED,
                                                  PLAIT_EV_JOIN_REFUSED, PLAIT_EV_CONN_CLOSED};
    for (unsigned t = 0; t < sizeof types / sizeof types[0]; t++) {
        for (unsigned i = 0; i < 2; i++) {
            const uint32_t *why = w->host[i]->tally.event_why[types[t]];
            for (unsigned r = 1; r < PLAIT_WHY_COUNT; r++) {
                bool plain = r == PLAIT_WHY_LOCAL_CLOSE || r == PLAIT_WHY_PEER_CLOSE ||
                             r == PLAIT_WHY_PEER_CLOSED_SUBFLOW;
                if (why[r] && !plain)
                    return (enum plait_reason)r;
            }
        }
    }
    return PLAIT_WHY_NONE;
}

static enum matrix_end judge_end(struct cell *w, char *note, size_t size)
{
    const struct side *c = &w->stream->side[0], *s = &w->stream->side[1];
    if (w->sim.failure[0]) {
        snprintf(note, size, "%.90s", w->sim.failure);
        return MATRIX_WRONG;
    }
    if (!c->done || (s->opened && !s->done)) {
        snprintf(note, size, "the %s waits: %llu sent, %llu received",
                 c->done ? "server" : "client", (unsigned long long)(c->done ? s : c)->sent,
                 (unsigned long long)(c->done ? s : c)->received);
        return MATRIX_HANG;
    }
    if (c->error || (s->opened && s->error)) {
        /* An end that has everything need not learn of what befell the other. */
        return MATRIX_ERROR;
    }
    if (!s->opened || c->multipath != s->multipath) {
        snprintf(note, size, "client: %s, server: %s", c->multipath ? "MPTCP" : "TCP",
                 !s->opened     ? "never accepted"
                 : s->multipath ? "MPTCP"
                                : "TCP");
        return MATRIX_WRONG;
    }
    return c->multipath ? MATRIX_MPTCP : MATRIX_TCP;
}

struct times {
    uint64_t first_us, pause_us;
};

static struct times run(struct cell *w, const struct matrix_row *row, const struct matrix_cell *c,
                        struct matrix_outcome *out)
{
    memset(out, 0, sizeof *out);
    build(w, row, c);
    sim_run(&w->sim, w->sim.now_us + LIMIT_S * SECOND, stream_done, w->stream);
    if (!w->sim.failure[0] && stream_done(w->stream) &&
        !sim_run(&w->sim, w->sim.now_us + RELEASE_S * SECOND, nothing_left, w))
        sim_fail(&w->sim, "a connection is never released");
    const struct side *reader = &w->stream->side[!c->to_client];
    const struct times t = {reader->first_read_us, reader->pause_us};
    out->end = judge_end(w, out->note, sizeof out->note);
    out->data = judge_data(&w->transfer);
    out->why = reason(w);
    sim_free(&w->sim);
    if (w->sim.failure[0] && out->end != MATRIX_WRONG && out->end != MATRIX_HANG) {
        out->end = MATRIX_WRONG;
        snprintf(out->note, sizeof out->note, "%.90s", w->sim.failure);
    }
    return t;
}

void matrix_run(const struct matrix_row *row, const struct matrix_cell *c,
                struct matrix_outcome *out)
{
    struct matrix_outcome without;
    struct cell *w = sim_alloc(sizeof *w);
    const struct times base = run(w, NULL, c, &without);
    memset(w, 0, sizeof *w);
    const struct times t = run(w, row, c, out);
    free(w);
    /* Half a round trip is the queue's and the timers' to spend. */
    int64_t first = (int64_t)(t.first_us - base.first_us);
    int64_t pause = (int64_t)(t.pause_us - base.pause_us);
    out->extra_rtts =
        t.first_us ? (int)(((first > pause ? first : pause) + RTT_US / 2) / RTT_US) : 0;
}

bool matrix_holds(const struct matrix_expect *e, const struct matrix_outcome *o)
{
    return e->end & o->end && e->data & o->data &&
           (o->end != MATRIX_TCP ||
            (e->why == PLAIT_WHY_NONE ? o->why != PLAIT_WHY_NONE : o->why == e->why)) &&
           o->extra_rtts <= e->rtts;
}

const char *matrix_end_text(enum matrix_end end)
{
    return end == MATRIX_MPTCP   ? "MPTCP"
           : end == MATRIX_TCP   ? "TCP"
           : end == MATRIX_ERROR ? "error"
           : end == MATRIX_HANG  ? "hangs"
                                 : "broken";
}

const char *matrix_data_text(enum matrix_data data)
{
    return data == DATA_INTACT  ? "intact"
           : data == DATA_PART  ? "cut off"
           : data == DATA_BOXED ? "as rewritten"
                                : "wrong";
}
