/* SPDX-License-Identifier: MIT
 *
 * Applications at the two ends of a connection. side_step does everything an
 * end can do now: connect state, reading, writing, closing. It is called when
 * the stack says ready and when a timer of its own (an interval, a reading
 * rate) has come.
 */
#include "sim/stream.h"

#include <stdlib.h>
#include <string.h>

enum { BUFFER = 65536, FIRST_PORT = 5001, RETRY_US = 100000, HUNGRY_MAX_US = 60000000 };

/* ---- the pattern ------------------------------------------------------------------------ */

static uint64_t word_at(uint64_t key, uint64_t index)
{
    uint64_t z = key + index * 0x9e3779b97f4a7c15u; /* SplitMix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void pattern_fill(uint64_t key, uint64_t offset, uint8_t *buf, size_t len)
{
    while (len) {
        uint64_t word = word_at(key, offset / 8);
        size_t skip = offset % 8, n = 8 - skip < len ? 8 - skip : len;
        memcpy(buf, (const uint8_t *)&word + skip, n);
        buf += n;
        offset += n;
        len -= n;
    }
}

bool pattern_equal(uint64_t key, uint64_t offset, const uint8_t *buf, size_t len)
{
    uint8_t want[1024];
    while (len) {
        size_t n = len < sizeof want ? len : sizeof want;
        pattern_fill(key, offset, want, n);
        if (memcmp(buf, want, n) != 0)
            return false;
        buf += n;
        offset += n;
        len -= n;
    }
    return true;
}

static void times_add(struct time_list *t, uint64_t us)
{
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->us = realloc(t->us, t->room * sizeof *t->us);
        if (!t->us)
            abort();
    }
    t->us[t->count++] = us;
}

static void notice(struct side *s)
{
    if (s->config.notice)
        s->config.notice(s->config.notice_ctx, s);
}

/* ---- ending ----------------------------------------------------------------------------- */

static uint64_t now_of(const struct side *s)
{
    return s->stream->sim->now_us;
}

static void look(struct side *s)
{
    plait_conn_info(s->conn, &s->info);
    s->multipath = s->info.multipath;
    unsigned n = plait_conn_subflows(s->conn, s->subflows, 16);
    s->subflow_count = n < 16 ? n : 16;
}

static void side_done(struct side *s, int error)
{
    s->error = error;
    s->done = true;
    s->done_us = now_of(s);
    s->conn = NULL;
    timers_set(&s->stream->sim->timers, &s->event.timer, TIMER_NEVER);
    notice(s);
}

static void side_close(struct side *s, int error)
{
    look(s);
    s->error = error;
    s->lingering = plait_conn_close(s->conn, now_of(s)) == PLAIT_E_AGAIN;
    if (!s->lingering)
        side_done(s, error);
}

/* SO_LINGER without a time: closing resets. */
static bool close_resets(const struct side *s)
{
    const struct stream *st = s->stream;
    const struct plait_options *o = s == st->side ? &st->client_options : &st->server_options;
    return o->linger && !o->linger_us;
}

static void side_abort(struct side *s)
{
    struct plait_conn *conn = s->conn;
    look(s);
    plait_conn_set_user(conn, NULL);
    s->aborted = true;
    side_done(s, PLAIT_E_ABORTED);
    plait_conn_abort(conn, now_of(s));
}

/* ---- reading ---------------------------------------------------------------------------- */

static void count_responses(struct side *s)
{
    const struct side_config *c = &s->config;
    while (c->response_bytes && s->responses_seen < s->blocks.count &&
           s->received >= (uint64_t)(s->responses_seen + 1) * c->response_bytes) {
        s->delay_us[s->responses_seen] = now_of(s) - s->blocks.us[s->responses_seen];
        s->responses_seen++;
    }
}

static void count_blocks(struct side *s, const struct side *peer)
{
    uint64_t size = peer->config.block_bytes;
    struct time_list *delays = &s->block_delays;
    while (size && delays->count < peer->blocks.count && s->received >= (delays->count + 1) * size)
        times_add(delays, now_of(s) - peer->blocks.us[delays->count]);
}

static void took(struct side *s, const uint8_t *data, size_t len)
{
    struct side *peer = &s->stream->side[s == &s->stream->side[0]];
    uint64_t now_us = now_of(s);
    if (s->config.drain)
        s->config.drain(s->config.ctx, s->received, data, len);
    else if (!pattern_equal(peer->key, s->received, data, len))
        sim_fail(s->stream->sim, "%s read wrong bytes between %llu and %llu", s->host->name,
                 (unsigned long long)s->received, (unsigned long long)(s->received + len));
    s->received += len;
    if (s->received > peer->sent && !s->config.drain)
        sim_fail(s->stream->sim, "%s read %llu bytes, only %llu were written", s->host->name,
                 (unsigned long long)s->received, (unsigned long long)peer->sent);
    if (!s->first_read_us)
        s->first_read_us = now_us;
    else if (now_us - s->last_read_us > s->pause_us)
        s->pause_us = now_us - s->last_read_us;
    s->last_read_us = now_us;
    count_responses(s);
    count_blocks(s, peer);
    notice(s);
}

/* How much may be read now; less than all: the event says when to go on. */
static uint64_t read_allowance(struct side *s)
{
    const struct side_config *c = &s->config;
    uint64_t now_us = now_of(s), from_us = s->connected_us + c->read_after_us;
    if (now_us < from_us) {
        sim_event_at(s->stream->sim, &s->event, from_us);
        return 0;
    }
    if (!c->read_bps)
        return UINT64_MAX;
    uint64_t earned = (now_us - from_us) * c->read_bps / 8000000;
    if (earned > s->received)
        return earned - s->received;
    sim_event_at(s->stream->sim, &s->event, now_us + 10000);
    return 0;
}

/* False: the connection is gone. */
static bool side_read(struct side *s)
{
    uint8_t buf[BUFFER];
    uint64_t most = s->config.read_max ? s->config.read_max : BUFFER;
    if (most > BUFFER)
        most = BUFFER;
    while (!s->eof && !(s->shut && s->config.end == END_SHUT_BOTH)) {
        uint64_t room = read_allowance(s);
        if (room > most)
            room = most;
        if (!room)
            return true;
        int64_t n = plait_conn_read(s->conn, buf, (size_t)room, now_of(s));
        if (n == PLAIT_E_AGAIN)
            return true;
        if (n < 0) {
            side_close(s, (int)n);
            return false;
        }
        if (n == 0)
            s->eof = true;
        else
            took(s, buf, (size_t)n);
        if (s->config.abort_at_read && s->received >= s->config.abort_at_read) {
            side_abort(s);
            return false;
        }
    }
    return true;
}

/* ---- writing ---------------------------------------------------------------------------- */

/* Up to which offset may be written now. */
static uint64_t write_limit(struct side *s)
{
    const struct side_config *c = &s->config;
    uint64_t now_us = now_of(s);
    if (c->requests) {
        while (s->blocks.count < c->requests) {
            uint64_t at_us = s->connected_us + (uint64_t)s->blocks.count * c->interval_us;
            if (at_us > now_us) {
                sim_event_at(s->stream->sim, &s->event, at_us);
                break;
            }
            times_add(&s->blocks, now_us);
        }
        return (uint64_t)s->blocks.count * c->request_bytes;
    }
    if (c->respond_to)
        return s->received / c->respond_to * c->respond_bytes;
    if (c->driven)
        return s->allowed;
    if (c->stop_us && now_us >= c->stop_us)
        return s->sent;
    if (c->stop_us)
        sim_event_at(s->stream->sim, &s->event, c->stop_us);
    return c->send_bytes;
}

/* Nothing will ever be written again. */
static bool wrote_all(const struct side *s)
{
    const struct side_config *c = &s->config;
    if (c->source)
        return s->source_done;
    if (c->requests)
        return s->sent == (uint64_t)c->requests * c->request_bytes;
    if (c->respond_to)
        return s->eof && s->sent == s->received / c->respond_to * c->respond_bytes;
    if (c->driven)
        return s->allowed_all && s->sent == s->allowed;
    return s->sent >= c->send_bytes || (c->stop_us && now_of(s) >= c->stop_us);
}

/* Blocks that begin by now: all before them was taken. */
static void begin_blocks(struct side *s)
{
    uint32_t size = s->config.requests ? 0 : s->config.block_bytes;
    while (size && s->sent >= (uint64_t)s->blocks.count * size)
        times_add(&s->blocks, now_of(s));
}

/* The next bytes of the pattern, at most len. What a write did not take is not
 * made again for the next one. */
static const uint8_t *pattern_next(struct side *s, size_t *len)
{
    if (!s->ahead)
        s->ahead = sim_alloc(BUFFER);
    if (s->sent >= s->ahead_end) {
        pattern_fill(s->key, s->sent, s->ahead, BUFFER);
        s->ahead_end = s->sent + BUFFER;
    }
    uint64_t left = s->ahead_end - s->sent;
    *len = *len < left ? *len : (size_t)left;
    return s->ahead + (BUFFER - left);
}

/* What to write next, at most *len bytes: how many is put there, 0 at the end. */
static const uint8_t *fetch(struct side *s, uint8_t *buf, size_t *len)
{
    if (!s->config.source)
        return pattern_next(s, len);
    *len = s->config.source(s->config.ctx, s->sent, buf, *len);
    if (*len == 0)
        s->source_done = true;
    return buf;
}

/* There may be some again when other data was acknowledged, but nobody waits
 * for that for ever. */
static bool no_memory(struct side *s)
{
    if (!s->hungry_us)
        s->hungry_us = now_of(s);
    if (now_of(s) - s->hungry_us < HUNGRY_MAX_US) {
        sim_event_at(s->stream->sim, &s->event, now_of(s) + RETRY_US);
        return true;
    }
    side_abort(s);
    s->error = PLAIT_E_NO_MEMORY;
    return false;
}

static bool side_write(struct side *s)
{
    uint8_t buf[BUFFER];
    uint64_t most = s->config.write_max ? s->config.write_max : BUFFER;
    while (!s->shut) {
        uint64_t limit = s->config.source ? UINT64_MAX : write_limit(s);
        uint64_t room = limit > s->sent ? limit - s->sent : 0;
        size_t len = (size_t)(room < most ? room : most);
        if (len > BUFFER)
            len = BUFFER;
        const uint8_t *data = len ? fetch(s, buf, &len) : buf;
        if (!len)
            return true;
        begin_blocks(s);
        int64_t n = plait_conn_write(s->conn, data, len, now_of(s));
        if (n == PLAIT_E_NO_MEMORY)
            return no_memory(s);
        s->hungry_us = 0;
        if (n == PLAIT_E_AGAIN)
            return true;
        if (n < 0)
            return false; /* reading tells the error, after the last byte */
        s->sent += (uint64_t)n;
        begin_blocks(s);
    }
    return true;
}

/* ---- the step --------------------------------------------------------------------------- */

static void side_end(struct side *s)
{
    unsigned poll = plait_conn_poll(s->conn);
    enum plait_shut how = PLAIT_SHUT_WR;
    if (!s->shut && wrote_all(s)) {
        switch (s->config.end) {
        case END_ABORT:
            side_abort(s);
            return;
        case END_CLOSE:
            s->aborted = close_resets(s);
            side_close(s, s->aborted ? PLAIT_E_ABORTED : 0);
            return;
        case END_SHUT_BOTH:
            how = PLAIT_SHUT_RDWR;
            break;
        case END_AFTER_EOF:
            if (!s->eof)
                return;
            break;
        case END_SHUTDOWN:
            break;
        }
        int error = plait_conn_shutdown(s->conn, how, now_of(s));
        s->shut = true;
        if (error) {
            side_close(s, error);
            return;
        }
        poll = plait_conn_poll(s->conn);
    }
    bool deaf = s->config.end == END_SHUT_BOTH;
    if (s->shut && (s->eof || deaf) && (poll & PLAIT_POLL_FINISHED))
        side_close(s, 0);
}

static void side_step(struct side *s)
{
    unsigned poll = plait_conn_poll(s->conn);
    if (s->lingering) {
        if (poll & PLAIT_POLL_LINGERED)
            side_close(s, s->error);
        return;
    }
    if ((poll & PLAIT_POLL_CONNECTED) && !s->connected) {
        s->connected = true;
        s->connected_us = now_of(s);
        notice(s);
    }
    if (!s->connected) {
        if (poll & PLAIT_POLL_ERROR)
            side_close(s, plait_conn_error(s->conn));
        else if ((poll & PLAIT_POLL_WRITABLE) && !s->config.requests)
            side_write(s); /* the SYN takes it along */
        return;
    }
    if (!side_read(s))
        return;
    bool writable = side_write(s);
    if (s->conn && (!writable || (poll & PLAIT_POLL_ERROR))) {
        int error = plait_conn_error(s->conn);
        bool deaf = s->shut && s->config.end == END_SHUT_BOTH;
        if (error && (s->eof || deaf)) /* else the next read brings it, after the data */
            side_close(s, error);
        return;
    }
    if (s->conn)
        side_end(s);
}

void stream_ready(struct plait_conn *conn)
{
    struct side *s = plait_conn_user(conn);
    if (s && s->conn == conn)
        side_step(s);
}

static void side_fire(struct sim *sim, struct sim_event *e)
{
    struct side *s = list_entry(e, struct side, event);
    (void)sim;
    if (s->conn)
        side_step(s);
    host_service(s->host);
}

/* ---- opening ---------------------------------------------------------------------------- */

static void adopt(struct side *s, struct plait_conn *conn)
{
    s->conn = conn;
    s->opened = true;
    plait_conn_set_user(conn, s);
}

/* The stream whose client opened this connection. */
static struct stream *accepted_for(struct sim *sim, struct stream *first,
                                   const struct plait_conn *conn)
{
    struct plait_conn_info info;
    plait_conn_info(conn, &info);
    list_each(s, &sim->streams, struct stream, node) {
        if (s->first == first && s->client_port == info.remote.port)
            return s;
    }
    return first;
}

static void listener_take(struct sim *sim, struct stream *first)
{
    struct plait_conn *conn;
    while (first->listener && (conn = plait_accept(first->listener)) != NULL) {
        struct stream *s = accepted_for(sim, first, conn);
        if (s->side[1].opened) {
            sim_fail(sim, "%s accepted port %u twice", s->side[1].host->name, s->port);
            return;
        }
        adopt(&s->side[1], conn);
        if (--first->waiting == 0) {
            plait_listener_close(first->listener, sim->now_us);
            first->listener = NULL;
        }
        side_step(&s->side[1]);
    }
}

void stream_accept(struct sim *sim, struct host *h, struct plait_listener *listener)
{
    list_each(s, &sim->streams, struct stream, node) {
        if (s->listener == listener && s->side[1].host == h) {
            listener_take(sim, s);
            return;
        }
    }
}

static void stream_start(struct sim *sim, struct sim_event *e)
{
    struct stream *s = list_entry(e, struct stream, start);
    struct side *c = &s->side[0];
    struct plait_conn *conn;
    struct plait_conn_info info;
    struct plait_stack *stack = c->host->stack;
    int error = s->candidate_count ? plait_connect_race(stack, s->candidates, s->candidate_count,
                                                        &s->client_options, sim->now_us, &conn)
                                   : plait_connect(stack, &s->local, &s->remote, &s->client_options,
                                                   sim->now_us, &conn);
    if (error) {
        side_done(c, error);
    } else {
        adopt(c, conn);
        plait_conn_info(conn, &info);
        s->client_port = info.local.port;
    }
    host_service(c->host);
}

static void side_init(struct side *s, struct stream *stream, struct host *h,
                      const struct side_config *config)
{
    struct sim *sim = stream->sim;
    s->stream = stream;
    s->host = h;
    s->key = prng_next(&sim->prng);
    if (config)
        s->config = *config;
    if (s->config.requests) {
        s->config.block_bytes = s->config.request_bytes;
        s->delay_us = sim_alloc(s->config.requests * sizeof(uint64_t));
    }
    sim_event_init(sim, &s->event, side_fire);
}

/* One that starts then, between the two hosts. */
static struct stream *stream_plan(struct sim *sim, struct host *client, struct host *server,
                                  uint64_t start_us, const struct side_config *c,
                                  const struct side_config *s)
{
    struct stream *stream = sim_alloc(sizeof *stream);
    stream->sim = sim;
    list_append(&sim->streams, &stream->node);
    side_init(&stream->side[0], stream, client, c);
    side_init(&stream->side[1], stream, server, s);
    sim_event_init(sim, &stream->start, stream_start);
    sim_event_at(sim, &stream->start, start_us);
    return stream;
}

/* A port that no stream has yet. */
static uint16_t port_next(const struct sim *sim)
{
    uint16_t next = FIRST_PORT;
    list_each(s, &sim->streams, struct stream, node) {
        if (s->port >= next)
            next = (uint16_t)(s->port + 1);
    }
    return next;
}

struct stream *stream_new(struct sim *sim, struct host *client, struct iface *from,
                          struct iface *to, uint64_t start_us, const struct side_config *c,
                          const struct side_config *s, const struct plait_options *client_options,
                          const struct plait_options *server_options)
{
    uint16_t port = port_next(sim);
    struct stream *stream = stream_plan(sim, client, to->host, start_us, c, s);
    stream->port = port;
    stream->waiting = 1;
    if (from)
        stream->local.addr = from->local.addr;
    stream->remote = (struct plait_endpoint){to->local.addr, stream->port};
    if (client_options)
        stream->client_options = *client_options;
    if (server_options)
        stream->server_options = *server_options;
    struct plait_endpoint any = {.port = stream->port};
    int error = plait_listen(to->host->stack, &any, &stream->server_options, &stream->listener);
    if (error)
        sim_fail(sim, "%s cannot listen: %s", to->host->name, plait_error_text(error));
    return stream;
}

struct stream *stream_again(struct stream *first, uint64_t start_us, const struct side_config *c,
                            const struct side_config *s)
{
    struct stream *stream =
        stream_plan(first->sim, first->side[0].host, first->side[1].host, start_us, c, s);
    stream->first = first;
    first->waiting++;
    stream->port = first->port;
    stream->local = first->local;
    stream->remote = first->remote;
    stream->client_options = first->client_options;
    return stream;
}

void stream_candidate(struct stream *s, const struct iface *from, const struct iface *to)
{
    if (s->candidate_count == PLAIT_CANDIDATES_MAX) {
        sim_fail(s->sim, "more than %d candidates", PLAIT_CANDIDATES_MAX);
        return;
    }
    s->candidates[s->candidate_count++] =
        (struct plait_candidate){{from->local.addr, 0}, {to->local.addr, s->port}};
}

void stream_allow(struct side *side, uint64_t bytes, bool last)
{
    side->allowed += bytes;
    side->allowed_all |= last;
    if (!side->done)
        sim_event_at(side->stream->sim, &side->event, side->stream->sim->now_us);
}

void stream_free(struct stream *s)
{
    for (unsigned i = 0; i < 2; i++) {
        sim_event_free(s->sim, &s->side[i].event);
        free(s->side[i].blocks.us);
        free(s->side[i].block_delays.us);
        free(s->side[i].delay_us);
        free(s->side[i].ahead);
    }
    sim_event_free(s->sim, &s->start);
    list_remove(&s->node);
    free(s);
}

bool stream_done(void *ctx)
{
    const struct stream *s = ctx;
    bool never_met = s->side[0].error && !s->side[1].opened;
    return s->side[0].done && (s->side[1].done || never_met);
}

bool stream_all_done(void *ctx)
{
    struct sim *sim = ctx;
    list_each(s, &sim->streams, struct stream, node) {
        if (!stream_done(s))
            return false;
    }
    return true;
}
