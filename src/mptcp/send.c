/* SPDX-License-Identifier: MIT
 *
 * The send queue: the one place where a connection's unacknowledged bytes
 * live, shared by all its subflows. Chunks are filled in order and leave the
 * queue when DATA_ACKed; subflows that carried them hold references of their
 * own (RFC 8684 3.3.2, 3.3.6).
 *
 * Invariants: snd_una <= snd_nxt <= snd_end; the queue covers [first chunk's
 * dsn, snd_end) without a gap, and that first dsn <= snd_una.
 */
#include "mptcp/conn.h"

#include <string.h>

#include "wire/checksum.h"

enum { CHUNK_MIN = 2048, CHUNK_MAX = SEND_CHUNK_MAX };

/* How far the application may run ahead of what is sent: enough for a turn of
 * any loop, and little enough to be in the cache still when it leaves. Those who
 * write as much as they may share UNSENT_ALL, but each has one super-segment. */
enum { UNSENT_MAX = 1024 * 1024, UNSENT_MIN = CHUNK_MAX, UNSENT_ALL = 4 * UNSENT_MAX };
/* Nor further than the scheduler wants to see: the rest would only be late, and
 * known too early to be changed. */
enum { AHEAD_MIN = 16 * 1024 };

static uint64_t unsent_share(const struct mptcp_env *env)
{
    uint32_t share = env->writer_count ? UNSENT_ALL / env->writer_count : UNSENT_MAX;
    share = share < UNSENT_MAX ? share : UNSENT_MAX;
    return share > UNSENT_MIN ? share : UNSENT_MIN;
}

static uint64_t unsent_max(const struct plait_conn *c)
{
    uint64_t share = unsent_share(c->env), ahead = AHEAD_MIN, us = c->sched->ahead_us;
    if (!us)
        return share;
    for (unsigned i = 0; c->awake && i < c->subflow_count; i++) {
        const struct plait_cc_view *v = &c->awake->arrays.views[i];
        ahead += v->srtt_us ? v->cwnd_bytes * us / v->srtt_us : 0;
    }
    return ahead < share ? ahead : share;
}

void conn_write_blocked(struct plait_conn *c, bool blocked)
{
    c->env->writer_count += blocked - c->write_blocked;
    c->write_blocked = blocked;
}

/* What waits to be sent may take three quarters of the stack's memory: sending
 * it, and hearing that it arrived, need some too. */
static bool send_within_limit(const struct mem *m, size_t size)
{
    return !m->limit_bytes || m->used_bytes + size <= m->limit_bytes / 4 * 3;
}

/* As much as is asked for, less where memory is short. Whole chunks, which a
 * bulk transfer mostly asks for, are used again. */
static struct plait_chunk *send_chunk_data(struct mptcp_env *env, size_t wanted)
{
    uint32_t size = wanted < CHUNK_MIN   ? CHUNK_MIN
                    : wanted > CHUNK_MAX ? CHUNK_MAX
                                         : (uint32_t)wanted;
    while (size > CHUNK_MIN && !send_within_limit(&env->mem, size))
        size = size / 2 > CHUNK_MIN ? size / 2 : CHUNK_MIN;
    if (!send_within_limit(&env->mem, size))
        return NULL;
    return size == CHUNK_MAX ? chunk_cache_get(&env->chunks) : chunk_new(&env->mem, size);
}

static struct send_chunk *send_chunk_new(struct plait_conn *c, size_t wanted)
{
    struct mptcp_env *env = c->env;
    struct send_chunk *s = pool_get(&env->ranges);
    if (!s)
        return NULL;
    s->chunk = send_chunk_data(env, wanted);
    if (!s->chunk) {
        pool_put(&env->ranges, s);
        return NULL;
    }
    s->dsn = c->snd_end;
    list_append(&c->send_queue, &s->link);
    return s;
}

static void send_chunk_free(struct plait_conn *c, struct send_chunk *s)
{
    if (c->awake && c->awake->bound_last == s)
        c->awake->bound_last = NULL;
    list_remove(&s->link);
    chunk_unref(s->chunk);
    pool_put(&c->env->ranges, s);
}

/* The last chunk, if something fits into it. */
static struct send_chunk *send_tail(const struct plait_conn *c)
{
    if (list_empty(&c->send_queue))
        return NULL;
    struct send_chunk *last = list_last(&c->send_queue, struct send_chunk, link);
    return last->len < last->chunk->size ? last : NULL;
}

/* The chunk for what comes next, and how much of `wanted` fits. NULL: no memory. */
static struct send_chunk *send_room_for(struct plait_conn *c, size_t wanted, uint32_t *room)
{
    struct send_chunk *last = send_tail(c);
    if (!last)
        last = send_chunk_new(c, wanted);
    if (!last)
        return NULL;
    *room = last->chunk->size - last->len;
    if (wanted < *room)
        *room = (uint32_t)wanted;
    return last;
}

static void send_grow(struct plait_conn *c, struct send_chunk *last, uint32_t len)
{
    last->len += len;
    c->snd_end += len;
}

/* Copy what fits into the last chunk, or into a new one. 0: no memory. */
static uint32_t send_append(struct plait_conn *c, const uint8_t *data, size_t len)
{
    uint32_t room;
    struct send_chunk *last = send_room_for(c, len, &room);
    if (!last)
        return 0;
    memcpy(last->chunk->data + last->len, data, room);
    send_grow(c, last, room);
    return room;
}

uint64_t conn_send_room(const struct plait_conn *c)
{
    uint64_t queued = c->snd_end - c->snd_una, unsent = c->snd_end - c->snd_nxt;
    uint64_t room = queued < c->send_buffer ? c->send_buffer - queued : 0;
    uint64_t most = unsent_max(c), ahead = unsent < most ? most - unsent : 0;
    uint64_t allowed = pressure_send_room(c);
    room = room < ahead ? room : ahead;
    return room < allowed ? room : allowed;
}

/* Who shares is asked when half of its share is gone: once for a super-segment,
 * not for each segment that leaves. */
bool conn_writable(const struct plait_conn *c)
{
    uint64_t unsent = c->snd_end - c->snd_nxt, most = unsent_max(c);
    if (most < UNSENT_MAX && unsent > most / 2)
        return false;
    return conn_may_write(c) && conn_send_room(c) > 0;
}

bool conn_may_write(const struct plait_conn *c)
{
    return c->state != CONN_OPENING || (c->client && c->fastopen);
}

/* Why nothing can be written, however much room there is; 0: it can. */
static int write_error(const struct plait_conn *c)
{
    if (c->error)
        return c->error;
    if (c->fin_queued)
        return PLAIT_E_SHUT_DOWN;
    return conn_may_write(c) ? 0 : PLAIT_E_AGAIN;
}

int64_t conn_send_borrow(struct plait_conn *c, size_t wanted, void **data)
{
    int error = write_error(c);
    size_t room = (size_t)conn_send_room(c);
    uint32_t fits;
    if (error || wanted == 0)
        return error ? error : PLAIT_E_INVALID;
    conn_write_blocked(c, wanted > room);
    conn_touch(c);
    if (room == 0)
        return PLAIT_E_AGAIN;
    struct send_chunk *last = send_room_for(c, wanted < room ? wanted : room, &fits);
    if (!last)
        return PLAIT_E_NO_MEMORY;
    *data = last->chunk->data + last->len;
    return fits;
}

int conn_send_commit(struct plait_conn *c, size_t len)
{
    struct send_chunk *last = send_tail(c);
    if (!last || len > last->chunk->size - last->len || write_error(c))
        return PLAIT_E_INVALID;
    send_grow(c, last, (uint32_t)len);
    if (last->len == 0) /* not wanted after all */
        send_chunk_free(c, last);
    conn_touch(c);
    return 0;
}

int64_t conn_write(struct plait_conn *c, const void *data, size_t len)
{
    int error = write_error(c);
    if (error)
        return error;
    size_t room = (size_t)conn_send_room(c);
    size_t todo = len < room ? len : room, done = 0;
    while (done < todo) {
        uint32_t n = send_append(c, (const uint8_t *)data + done, todo - done);
        if (n == 0)
            break;
        done += n;
    }
    conn_write_blocked(c, done < len);
    conn_touch(c);
    if (done)
        return (int64_t)done;
    return len == 0 ? 0 : room ? PLAIT_E_NO_MEMORY : PLAIT_E_AGAIN;
}

void conn_acked(struct plait_conn *c, uint64_t dsn)
{
    uint64_t fin = c->fin_sent ? 1 : 0;
    if (!dsn_gt(dsn, c->snd_una) || dsn_gt(dsn, c->snd_nxt + fin))
        return;
    if (c->fin_sent && dsn == c->snd_end + 1) {
        c->fin_acked = true;
        dsn = c->snd_end;
    }
    c->snd_una = dsn;
    c->data_rto_us = TIMER_NEVER;
    c->data_rto_count = 0;
    c->data_asks = 0;
    closing_progress(c);
    list_each(s, &c->send_queue, struct send_chunk, link) {
        if (dsn_gt(s->dsn + s->len, dsn))
            break;
        send_chunk_free(c, s);
    }
    reinject_trim(c);
    if (c->write_blocked)
        conn_tune_send_buffer(c);
    if (c->snd_una == c->snd_end) /* who is asked for more and has none is no writer */
        conn_write_blocked(c, false);
    conn_touch(c);
}

void send_taken(struct plait_conn *c, uint32_t len)
{
    c->snd_end -= len;
    list_each(s, &c->send_queue, struct send_chunk, link) {
        s->dsn -= len;
        if (dsn_leq(s->dsn + s->len, c->snd_una))
            send_chunk_free(c, s);
    }
    conn_touch(c);
}

void conn_window(struct plait_conn *c, uint64_t edge)
{
    if (dsn_gt(edge, c->snd_edge)) {
        c->snd_edge = edge;
        conn_touch(c);
    }
}

/* Enough for two windows on every path, the slow ones counted at the pace of
 * the slowest: data sent on a fast path waits there for the slow path's
 * acknowledgment (RFC 8684 3.3.5; 2 * sum(rate) * max(RTT)). */
void conn_tune_send_buffer(struct plait_conn *c)
{
    uint64_t rtt_max = 1, wanted = 0, max = c->env->config.send_buffer_max_bytes;
    for (unsigned i = 0; i < c->subflow_count; i++)
        if (c->awake->arrays.views[i].srtt_us > rtt_max)
            rtt_max = c->awake->arrays.views[i].srtt_us;
    for (unsigned i = 0; i < c->subflow_count; i++) {
        const struct plait_cc_view *v = &c->awake->arrays.views[i];
        wanted += 2 * v->cwnd_bytes * rtt_max / (v->srtt_us ? v->srtt_us : rtt_max);
    }
    if (wanted > max)
        wanted = max;
    if (wanted > c->send_buffer)
        c->send_buffer = (uint32_t)wanted;
}

/* 4 bytes tell the place of a byte while 2^32 bytes take longer than a segment
 * may live in the network. An eighth of them is looked at at a time, so that
 * the answer is there before the first wrap, also behind a pause. */
void conn_watch_rate(struct plait_conn *c)
{
    enum { LIFETIME_US = 120 * 1000 * 1000, STEP_BYTES = 1 << 29 };
    uint64_t now_us = c->env->now_us;
    if (c->dsn64 || dsn_lt(c->snd_nxt, c->rate_dsn + STEP_BYTES))
        return;
    c->dsn64 = now_us - c->rate_us <= LIFETIME_US;
    c->rate_dsn = c->snd_nxt;
    c->rate_us = now_us;
}

/* New data begins where the last of it ended; what goes again is mostly near the
 * front. */
static struct send_chunk *send_find(struct plait_conn *c, uint64_t dsn)
{
    struct send_chunk *at = c->awake->bound_last;
    bool known = at && dsn_geq(dsn, at->dsn);
    struct list *from = known ? &at->link : c->send_queue.next;
    for (; from != &c->send_queue; from = from->next) {
        struct send_chunk *s = list_entry(from, struct send_chunk, link);
        if (dsn_geq(dsn, s->dsn + s->len))
            continue;
        if (dsn == c->snd_nxt)
            c->awake->bound_last = s;
        return s;
    }
    return NULL;
}

static uint16_t send_checksum(csum_fn *partial, const struct tcp_map *m, const struct send_chunk *s,
                              uint32_t offset, uint32_t first, const struct send_chunk *next,
                              uint32_t len)
{
    uint16_t sum = partial(s->chunk->data + offset, first);
    if (len > first)
        sum = csum_add(sum, partial(next->chunk->data, len - first), first & 1);
    return csum_dss(m->dsn, m->ssn, m->len, sum);
}

uint32_t conn_bind(struct plait_conn *c, struct subflow *sf, uint64_t dsn, uint32_t len,
                   uint8_t map_kind)
{
    struct send_chunk *s = send_find(c, dsn), *next = NULL;
    if (!s)
        return 0;
    uint32_t offset = (uint32_t)(dsn - s->dsn), first = s->len - offset;
    if (first >= len) {
        first = len;
    } else if (s->link.next != &c->send_queue) {
        next = list_entry(s->link.next, struct send_chunk, link);
        if (len > first + next->len)
            len = first + next->len;
    } else {
        len = first;
    }
    struct tcp_map map = {.dsn = dsn, .ssn = tcp_next_ssn(&sf->tcp), .kind = map_kind};
    bool fin = c->fin_queued && dsn + len == c->snd_end && !(map_kind & MAP_FIRST) && !c->plain_out;
    map.len = (uint16_t)(len + fin);
    map.kind |= fin ? MAP_DATA_FIN : 0;
    if (c->checksum && !c->plain_out)
        map.checksum = send_checksum(c->env->csum, &map, s, offset, first, next, len);
    struct plait_chunk *chunks[2] = {s->chunk, next ? next->chunk : NULL};
    if (!tcp_push(&sf->tcp, chunks, offset, len, &map, true))
        return 0;
    fallback_bound(sf, dsn, map.ssn, len);
    c->fin_bound |= fin;
    sf->quiet = false;
    return len;
}

void send_free(struct plait_conn *c)
{
    list_each(s, &c->send_queue, struct send_chunk, link)
        send_chunk_free(c, s);
}
