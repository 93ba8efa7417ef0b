/* SPDX-License-Identifier: MIT
 *
 * Connection-level reassembly (RFC 8684 3.3.4): in-order bytes go to the
 * receive queue, others wait in DSN order. Each subflow remembers where its
 * last out-of-order bytes went, since its next ones mostly follow them: the
 * search is then constant time (Raiciu et al., NSDI 2012, section 4.3).
 *
 * Invariants: ooo_queue is ordered, without overlap, and all beyond rcv_nxt;
 * rcv_nxt counts a DATA_FIN once everything before it has arrived.
 */
#include "mptcp/place.h"

static void piece_free(struct plait_conn *c, struct recv_piece *p)
{
    list_remove(&p->link);
    chunk_unref(p->chunk);
    pool_put(&c->env->ranges, p);
}

/* A piece leaves the out-of-order queue: nobody may point at it any more. */
static void ooo_leave(struct plait_conn *c, const struct recv_piece *p)
{
    c->ooo_bytes -= p->len;
    c->ooo_count--;
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->place_hint == p)
            sf->place_hint = NULL;
}

/* Without memory the bytes are left to the peer's data-level retransmission;
 * plain TCP has none, and they were acknowledged: that connection is over. */
static struct recv_piece *piece_new(struct plait_conn *c, struct plait_chunk *chunk,
                                    const uint8_t *data, uint32_t len, uint64_t dsn)
{
    struct recv_piece *p = pool_get(&c->env->ranges);
    if (!p) {
        c->env->counters.DropMemory++;
        if (c->plain_in)
            conn_fail(c, PLAIT_E_NO_MEMORY, PLAIT_WHY_NO_MEMORY);
        return NULL;
    }
    *p = (struct recv_piece){.chunk = chunk_ref(chunk), .data = data, .len = len, .dsn = dsn};
    return p;
}

static void fin_check(struct plait_conn *c)
{
    if (c->fin_known && !c->fin_received && c->rcv_nxt == c->fin_dsn) {
        c->fin_received = true;
        c->passive = !c->fin_sent;
        c->rcv_nxt++;
        conn_touch(c);
    }
}

/* Bytes that continue the last queued ones in the same buffer just make that
 * piece longer. */
static bool queue_extend(struct plait_conn *c, const struct plait_chunk *chunk, const uint8_t *data,
                         uint32_t len)
{
    if (list_empty(&c->recv_queue))
        return false;
    struct recv_piece *last = list_last(&c->recv_queue, struct recv_piece, link);
    if (last->chunk != chunk || last->data + last->len != data)
        return false;
    last->len += len;
    return true;
}

static bool queue_append(struct plait_conn *c, struct plait_chunk *chunk, const uint8_t *data,
                         uint32_t len)
{
    if (!queue_extend(c, chunk, data, len)) {
        struct recv_piece *p = piece_new(c, chunk, data, len, c->rcv_nxt);
        if (!p)
            return false;
        list_append(&c->recv_queue, &p->link);
    }
    c->rcv_nxt += len;
    c->recv_bytes += len;
    return true;
}

bool place_before(struct plait_conn *c, struct plait_chunk *chunk, const uint8_t *data,
                  uint32_t len)
{
    struct recv_piece *p = piece_new(c, chunk, data, len, c->rcv_nxt - len);
    if (!p)
        return false;
    list_append(&c->recv_queue, &p->link);
    c->recv_bytes += len;
    c->rcv_read -= len;
    return true;
}

/* Move what has become in order. */
static void ooo_drain(struct plait_conn *c)
{
    list_each(p, &c->ooo_queue, struct recv_piece, link) {
        if (p->dsn != c->rcv_nxt)
            break;
        ooo_leave(c, p);
        list_remove(&p->link);
        list_append(&c->recv_queue, &p->link);
        c->rcv_nxt += p->len;
        c->recv_bytes += p->len;
    }
}

/* Bytes from rcv_nxt on, around those that came before them: of two for one
 * place the first is delivered (RFC 8684 3.3.1). */
static void place_next(struct plait_conn *c, struct plait_chunk *chunk, const uint8_t *data,
                       uint32_t len)
{
    uint64_t start = c->rcv_nxt, end = start + len;
    while (dsn_lt(c->rcv_nxt, end)) {
        uint64_t stop = end;
        if (!list_empty(&c->ooo_queue))
            stop = dsn_min(end, list_first(&c->ooo_queue, struct recv_piece, link)->dsn);
        if (!queue_append(c, chunk, data + (c->rcv_nxt - start), (uint32_t)(stop - c->rcv_nxt)))
            return; /* not DATA_ACKed, so it will be sent again */
        ooo_drain(c);
    }
    fin_check(c);
}

uint32_t place_prune(struct plait_conn *c)
{
    if (list_empty(&c->ooo_queue))
        return 0;
    struct recv_piece *last = list_last(&c->ooo_queue, struct recv_piece, link);
    uint32_t len = last->len;
    ooo_leave(c, last);
    piece_free(c, last);
    return len;
}

/* Where bytes at dsn belong: the entry before which to insert. */
static struct list *ooo_position(struct plait_conn *c, const struct subflow *sf, uint64_t dsn)
{
    struct list *at = &c->ooo_queue;
    if (sf->place_hint && dsn_leq(sf->place_hint->dsn, dsn)) {
        at = sf->place_hint->link.next;
        while (at != &c->ooo_queue && dsn_leq(list_entry(at, struct recv_piece, link)->dsn, dsn))
            at = at->next;
        return at;
    }
    while (at->prev != &c->ooo_queue &&
           dsn_gt(list_entry(at->prev, struct recv_piece, link)->dsn, dsn))
        at = at->prev;
    return at;
}

static struct recv_piece *ooo_piece(struct plait_conn *c, struct plait_chunk *chunk,
                                    const uint8_t *data, uint32_t len, uint64_t dsn)
{
    if (c->ooo_count >= receive_pieces_max(c)) {
        c->env->counters.DropLimit++;
        return NULL;
    }
    struct recv_piece *p = piece_new(c, chunk, data, len, dsn);
    if (p) {
        c->ooo_bytes += len;
        c->ooo_count++;
    }
    return p;
}

static void ooo_insert(struct plait_conn *c, struct subflow *sf, struct plait_chunk *chunk,
                       const uint8_t *data, uint32_t len, uint64_t dsn)
{
    struct list *at = ooo_position(c, sf, dsn);
    uint64_t end = dsn + len, start = dsn;
    c->env->counters.OFOQueue++;
    if (at->prev != &c->ooo_queue) {
        const struct recv_piece *before = list_entry(at->prev, struct recv_piece, link);
        start = dsn_max(start, before->dsn + before->len);
    }
    while (dsn_lt(start, end)) {
        struct recv_piece *next = NULL;
        uint64_t stop = end;
        if (at != &c->ooo_queue) {
            next = list_entry(at, struct recv_piece, link);
            stop = dsn_min(end, next->dsn);
        }
        if (dsn_lt(start, stop)) {
            struct recv_piece *p =
                ooo_piece(c, chunk, data + (start - dsn), (uint32_t)(stop - start), start);
            if (!p)
                return; /* not DATA_ACKed, so it will be sent again */
            list_insert(at, &p->link);
            sf->place_hint = p;
        }
        if (!next || dsn_geq(next->dsn, end))
            return;
        start = next->dsn + next->len;
        at = next->link.next;
    }
    c->env->counters.DuplicateData++;
}

void place(struct subflow *sf, struct plait_chunk *chunk, const uint8_t *data, uint32_t len,
           uint64_t dsn)
{
    struct plait_conn *c = sf->conn;
    uint64_t end = dsn + len;
    uint64_t limit = c->fin_known ? dsn_min(c->rcv_edge, c->fin_dsn) : c->rcv_edge;
    if (dsn_gt(end, limit)) {
        c->env->counters.NoDSSInWindow++;
        end = limit;
    }
    if (dsn_lt(dsn, c->rcv_nxt)) {
        c->env->counters.DuplicateData++;
        data += c->rcv_nxt - dsn;
        dsn = c->rcv_nxt;
    }
    if (dsn_lt(dsn, end)) {
        len = (uint32_t)(end - dsn);
        if (dsn == c->rcv_nxt)
            place_next(c, chunk, data, len);
        else
            ooo_insert(c, sf, chunk, data, len, dsn);
    }
    chunk_unref(chunk);
    conn_touch(c);
}

/* Behind the last byte held out of order. */
static uint64_t ooo_end(const struct plait_conn *c)
{
    if (list_empty(&c->ooo_queue))
        return c->rcv_nxt;
    const struct recv_piece *last = list_last(&c->ooo_queue, struct recv_piece, link);
    return last->dsn + last->len;
}

void receive_data_fin(struct plait_conn *c, uint64_t dsn)
{
    if (c->fin_known)
        return;
    if (dsn_gt(dsn, c->rcv_edge) || dsn_lt(dsn, ooo_end(c)))
        return; /* no such place in the stream, or bytes behind it came first */
    c->fin_known = true;
    c->fin_dsn = dsn;
    fin_check(c);
}

void receive_free(struct plait_conn *c)
{
    list_each(p, &c->recv_queue, struct recv_piece, link)
        piece_free(c, p);
    list_each(q, &c->ooo_queue, struct recv_piece, link)
        piece_free(c, q);
    c->recv_bytes = c->ooo_bytes = c->ooo_count = 0;
}

/* The first n bytes of the piece have been read. */
static void piece_read(struct plait_conn *c, struct recv_piece *p, uint32_t n)
{
    p->data += n;
    p->dsn += n;
    p->len -= n;
    if (p->len == 0)
        piece_free(c, p);
}

/* So many bytes have been read: the window may move. */
static void receive_was_read(struct plait_conn *c, size_t bytes, uint64_t now_us)
{
    c->recv_bytes -= bytes;
    c->rcv_read += bytes;
    conn_window_read(c, now_us);
    conn_touch(c);
}

/* What a read without bytes gives. */
static int nothing_to_read(const struct plait_conn *c)
{
    if (c->fin_received || c->rd_shut)
        return 0;
    return c->error ? c->error : PLAIT_E_AGAIN;
}

int64_t conn_recv_borrow(const struct plait_conn *c, const void **data)
{
    if (list_empty(&c->recv_queue))
        return nothing_to_read(c);
    const struct recv_piece *p = list_first(&c->recv_queue, struct recv_piece, link);
    *data = p->data;
    return p->len;
}

int conn_recv_release(struct plait_conn *c, size_t len, uint64_t now_us)
{
    if (len == 0)
        return 0;
    if (list_empty(&c->recv_queue))
        return PLAIT_E_INVALID;
    struct recv_piece *p = list_first(&c->recv_queue, struct recv_piece, link);
    if (len > p->len)
        return PLAIT_E_INVALID;
    piece_read(c, p, (uint32_t)len);
    receive_was_read(c, len, now_us);
    return 0;
}

int64_t conn_read(struct plait_conn *c, void *data, size_t len, uint64_t now_us)
{
    uint8_t *out = data;
    size_t done = 0;
    while (done < len && !list_empty(&c->recv_queue)) {
        struct recv_piece *p = list_first(&c->recv_queue, struct recv_piece, link);
        uint32_t n = len - done < p->len ? (uint32_t)(len - done) : p->len;
        memcpy(out + done, p->data, n);
        done += n;
        piece_read(c, p, n);
    }
    if (done) {
        receive_was_read(c, done, now_us);
        return (int64_t)done;
    }
    return len == 0 ? 0 : nothing_to_read(c);
}
