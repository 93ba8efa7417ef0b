/* SPDX-License-Identifier: MIT
 *
 * From a subflow's in-order bytes to the connection's: mappings are kept by
 * SSN until their bytes have come, bytes are held while their mapping or the
 * rest of a checksummed one is missing, and then handed to place.c
 * (RFC 8684 3.3.1, 3.3.4). Payload moves by reference.
 *
 * Invariants: subflow.mappings is ordered by SSN and does not overlap;
 * subflow.held is contiguous in SSN and ends at what tcp has in order.
 */
#include "mptcp/conn.h"

#include "mptcp/place.h"
#include "wire/checksum.h"

uint32_t receive_wanted(const struct subflow *sf)
{
    if (list_empty(&sf->held))
        return sf->taken_ssn;
    return (uint32_t)list_first(&sf->held, struct recv_piece, link)->dsn;
}

static void mapping_free(struct subflow *sf, struct rx_mapping *m)
{
    list_remove(&m->link);
    sf->mapping_count--;
    pool_put(&sf->conn->env->ranges, m);
}

static void mapping_refuse(struct subflow *sf, uint64_t dsn, uint32_t ssn, uint32_t len)
{
    sf->conn->env->counters.DSSNotMatching++;
    conn_event(sf->conn, sf, PLAIT_EV_MAPPING_DROPPED, PLAIT_WHY_BAD_MAPPING, dsn, ssn, len, 0);
}

static void mapping_over_limit(struct subflow *sf, uint64_t dsn, uint32_t ssn, uint32_t len)
{
    sf->conn->env->counters.DropLimit++;
    conn_event(sf->conn, sf, PLAIT_EV_MAPPING_DROPPED, PLAIT_WHY_LIMIT, dsn, ssn, len, 0);
}

/* Cut what earlier mappings cover off a new one; the first mapping of a byte
 * stands. *pos: before which to insert. False: nothing new in it. */
static bool mapping_trim(struct subflow *sf, struct rx_mapping *n, struct list **pos)
{
    *pos = &sf->mappings;
    for (struct list *at = sf->mappings.prev; at != &sf->mappings; at = at->prev) {
        struct rx_mapping *m = list_entry(at, struct rx_mapping, link);
        if (seq_leq(m->ssn + m->len, n->ssn))
            return true;
        if (seq_geq(m->ssn, n->ssn + n->len)) {
            *pos = at;
            continue;
        }
        bool agrees = m->dsn - m->ssn == n->dsn - n->ssn;
        if (!agrees)
            mapping_refuse(sf, n->dsn, n->ssn, n->len);
        if (!agrees || sf->conn->checksum || seq_leq(m->ssn, n->ssn)) {
            uint32_t covered = m->ssn + m->len - n->ssn;
            if (!agrees || sf->conn->checksum || covered >= n->len)
                return false;
            n->ssn += covered;
            n->dsn += covered;
            n->len -= covered;
            return true;
        }
        n->len = m->ssn - n->ssn; /* the part behind m comes again if it is needed */
        *pos = at;
    }
    return true;
}

static void receive_drain(struct subflow *sf);

/* DEVIATION: RFC 8684 3.3.4 tests SSN - SUBFLOW_ACK <= DSN - DATA_ACK. Bytes
 * that came by another subflow first fail that by right. A mapping is refused
 * when its SSN is beyond what the subflow may send; place() drops what is
 * outside the connection's window by DSN. */
void receive_mapping(struct subflow *sf, uint64_t dsn, uint32_t ssn, uint32_t len,
                     uint32_t wire_len, uint16_t checksum)
{
    struct plait_conn *c = sf->conn;
    uint32_t wanted = receive_wanted(sf);
    if (c->plain_in || fallback_asking(sf))
        return;
    if (seq_leq(ssn + len, wanted)) { /* repeated for bytes that are here already */
        if (wire_len > len)
            receive_data_fin(c, dsn + len);
        return;
    }
    if (seq_gt(ssn, wanted + conn_recv_window(c) + UINT16_MAX)) {
        mapping_refuse(sf, dsn, ssn, len);
        return;
    }
    struct rx_mapping n = {
        .dsn = dsn, .ssn = ssn, .len = len, .wire_len = (uint16_t)wire_len, .checksum = checksum};
    struct list *pos;
    if (!mapping_trim(sf, &n, &pos))
        return;
    if (sf->mapping_count >= receive_pieces_max(c)) {
        mapping_over_limit(sf, dsn, ssn, len);
        return;
    }
    struct rx_mapping *m = pool_get(&c->env->ranges);
    if (!m) {
        c->env->counters.DropMemory++;
        subflow_reset(sf, PLAIT_WHY_NO_MEMORY);
        return;
    }
    *m = n;
    list_insert(pos, &m->link);
    sf->mapping_count++;
    if (!list_empty(&sf->held))
        receive_drain(sf);
}

/* ---- held bytes --------------------------------------------------------------- */

/* Bytes of sf went to the connection, the last of them before `end`. */
static void mapped(struct subflow *sf, uint64_t end)
{
    sf->recv_any = true;
    sf->recv_end = end;
}

static void held_free(struct subflow *sf, struct recv_piece *p)
{
    list_remove(&p->link);
    sf->held_count--;
    chunk_unref(p->chunk);
    pool_put(&sf->conn->env->ranges, p);
}

/* Its first `part` bytes are done with. */
static void held_shorten(struct subflow *sf, struct recv_piece *p, uint32_t part)
{
    p->data += part;
    p->dsn += part;
    p->len -= part;
    sf->held_bytes -= part;
    if (p->len == 0)
        held_free(sf, p);
}

/* Hand the first n held bytes to the connection at dsn. */
static void held_place(struct subflow *sf, uint32_t n, uint64_t dsn)
{
    mapped(sf, dsn + n);
    while (n) {
        struct recv_piece *p = list_first(&sf->held, struct recv_piece, link);
        uint32_t part = n < p->len ? n : p->len;
        place(sf, chunk_ref(p->chunk), p->data, part, dsn);
        held_shorten(sf, p, part);
        dsn += part;
        n -= part;
    }
}

static bool held_checksum_ok(const struct subflow *sf, const struct rx_mapping *m)
{
    uint16_t sum = 0;
    uint32_t done = 0;
    list_each(p, &sf->held, struct recv_piece, link) {
        uint32_t part = m->len - done < p->len ? m->len - done : p->len;
        sum = csum_add(sum, sf->conn->env->csum(p->data, part), done & 1);
        done += part;
        if (done == m->len)
            break;
    }
    return csum_dss(m->dsn, m->ssn, m->wire_len, sum) == m->checksum;
}

/* The mapping of the first held byte, or NULL. */
static struct rx_mapping *held_mapping(struct subflow *sf, uint32_t ssn)
{
    list_each(m, &sf->mappings, struct rx_mapping, link) {
        if (seq_leq(m->ssn + m->len, ssn)) {
            mapping_free(sf, m);
            continue;
        }
        return seq_leq(m->ssn, ssn) ? m : NULL;
    }
    return NULL;
}

/* Give up the first n held bytes. */
static void held_discard(struct subflow *sf, uint32_t n)
{
    while (n) {
        struct recv_piece *p = list_first(&sf->held, struct recv_piece, link);
        uint32_t part = n < p->len ? n : p->len;
        held_shorten(sf, p, part);
        n -= part;
    }
}

/* Held bytes before the first mapping, which are all here; 0: there is no such
 * mapping yet. */
static uint32_t held_gap(const struct subflow *sf)
{
    if (list_empty(&sf->mappings) || list_empty(&sf->held))
        return 0;
    const struct rx_mapping *m = list_first(&sf->mappings, struct rx_mapping, link);
    uint32_t ssn = receive_wanted(sf);
    return seq_gt(m->ssn, ssn) && seq_leq(m->ssn, sf->taken_ssn) ? m->ssn - ssn : 0;
}

/* A middlebox that joins segments keeps the options of one. What lies between
 * two mappings that continue each other is clear where the peer never had
 * another subflow, if it need not be verified. */
static bool held_fill(struct subflow *sf)
{
    uint32_t gap = held_gap(sf);
    if (!gap || sf->conn->branched || sf->conn->checksum || !sf->recv_any)
        return false;
    const struct rx_mapping *m = list_first(&sf->mappings, struct rx_mapping, link);
    if (m->dsn - sf->recv_end != gap)
        return false;
    held_place(sf, gap, sf->recv_end);
    return true;
}

bool receive_skip(struct subflow *sf)
{
    uint32_t gap = held_gap(sf);
    if (!gap)
        return false;
    sf->conn->env->counters.DSSNoMatchTCP++;
    conn_event(sf->conn, sf, PLAIT_EV_MAPPING_DROPPED, PLAIT_WHY_UNMAPPED_DATA, 0,
               receive_wanted(sf), gap, 0);
    held_discard(sf, gap);
    receive_drain(sf);
    return true;
}

/* True: the mapping's bytes may be placed as far as they are here. */
static bool held_verified(struct subflow *sf, const struct rx_mapping *m, uint32_t ssn)
{
    struct plait_conn *c = sf->conn;
    if (!c->checksum)
        return true;
    if (sf->held_bytes < m->ssn + m->len - ssn)
        return false;
    if (held_checksum_ok(sf, m)) {
        if (m->wire_len > m->len)
            receive_data_fin(c, m->dsn + m->len);
        return true;
    }
    c->env->counters.DataCsumErr++;
    mapped(sf, m->dsn); /* there the peer is in its run, which need not be where ours ends */
    fallback_ask(sf, m->dsn, PLAIT_WHY_CHECKSUM_FAILED);
    return false;
}

/* More held than so many windows are worth, in bytes or in pieces. */
static bool held_over(const struct subflow *sf, uint32_t windows)
{
    const struct plait_conn *c = sf->conn;
    uint64_t most = c->recv_buffer > 2 * UINT16_MAX ? c->recv_buffer : 2 * UINT16_MAX;
    return sf->held_bytes > windows * most || sf->held_count > windows * receive_pieces_max(c);
}

/* A window of data without a mapping (RFC 8684 3.3.1): at the latest now the
 * peer is asked, and has another window's time to answer. */
static void held_too_much(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    if (!held_over(sf, 1))
        return;
    if (!fallback_asking(sf))
        fallback_ask(sf, conn_recv_next(c), PLAIT_WHY_UNMAPPED_DATA);
    if (!held_over(sf, 2) || sf->rst_set)
        return;
    c->env->counters.DSSNoMatchTCP++;
    fallback_broken(sf, PLAIT_WHY_UNMAPPED_DATA);
}

static void receive_drain(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    bool mapless = false;
    while (!list_empty(&sf->held) && !c->plain_in && !fallback_asking(sf)) {
        uint32_t ssn = receive_wanted(sf);
        struct rx_mapping *m = held_mapping(sf, ssn);
        mapless = !m;
        if (mapless && held_fill(sf))
            continue;
        if (mapless)
            break;
        if (c->checksum && m->ssn != ssn) { /* its start was taken under another mapping */
            mapping_refuse(sf, m->dsn, m->ssn, m->len);
            mapping_free(sf, m);
            continue;
        }
        if (!held_verified(sf, m, ssn))
            break;
        uint32_t left = m->ssn + m->len - ssn, n = left < sf->held_bytes ? left : sf->held_bytes;
        held_place(sf, n, m->dsn + (ssn - m->ssn));
        if (n == left)
            mapping_free(sf, m);
    }
    if (mapless && !list_empty(&sf->held))
        stripped_data(sf);
    else
        sf->unmapped_us = TIMER_NEVER;
    held_too_much(sf);
}

static void held_append(struct subflow *sf, const struct tcp_piece *piece)
{
    struct mptcp_env *env = sf->conn->env;
    struct recv_piece *p = pool_get(&env->ranges);
    if (!p) { /* tcp has acknowledged it, so the subflow cannot go on */
        chunk_unref(piece->chunk);
        env->counters.DropMemory++;
        subflow_reset(sf, PLAIT_WHY_NO_MEMORY);
        return;
    }
    *p = (struct recv_piece){.chunk = piece->chunk,
                             .data = piece->data,
                             .len = piece->len,
                             .dsn = tcp_ssn_in(&sf->tcp, piece->seq)};
    list_append(&sf->held, &p->link);
    sf->held_bytes += piece->len;
    sf->held_count++;
}

/* The usual case: nothing held, no checksum, and one mapping covers it all. */
static bool receive_direct(struct subflow *sf, const struct tcp_piece *piece)
{
    uint32_t ssn = tcp_ssn_in(&sf->tcp, piece->seq);
    if (sf->conn->checksum || !list_empty(&sf->held))
        return false;
    struct rx_mapping *m = held_mapping(sf, ssn);
    if (!m || seq_lt(m->ssn + m->len, ssn + piece->len))
        return false;
    uint64_t dsn = m->dsn + (ssn - m->ssn);
    if (m->ssn + m->len == ssn + piece->len)
        mapping_free(sf, m);
    mapped(sf, dsn + piece->len);
    place(sf, piece->chunk, piece->data, piece->len, dsn);
    return true;
}

static void receive_linear(struct subflow *sf, const struct tcp_piece *piece)
{
    struct plait_conn *c = sf->conn;
    uint32_t ssn = tcp_ssn_in(&sf->tcp, piece->seq);
    place(sf, piece->chunk, piece->data, piece->len, linear_dsn(&c->in, c->rcv_nxt, ssn));
}

void conn_receive(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    struct tcp_piece piece;
    while (tcp_next_in_order(&sf->tcp, &piece)) {
        sf->taken_ssn = tcp_ssn_in(&sf->tcp, piece.seq + piece.len);
        if (sf->gone || sf->tcp.state == TCP_CLOSED || c->state == CONN_CLOSED || !sf->joined)
            chunk_unref(piece.chunk);
        else if (c->plain_in)
            receive_linear(sf, &piece);
        else if (!receive_direct(sf, &piece))
            held_append(sf, &piece);
    }
    c->last_recv = sf;
    if (!list_empty(&sf->held))
        receive_drain(sf);
    fallback_data_in(sf);
}

void receive_distrust(struct subflow *sf)
{
    list_each(m, &sf->mappings, struct rx_mapping, link)
        mapping_free(sf, m);
}

void receive_unmapped(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    uint32_t ssn = receive_wanted(sf);
    receive_distrust(sf);
    if (seq_lt(ssn, c->in.ssn)) {
        uint32_t before = c->in.ssn - ssn;
        held_discard(sf, before < sf->held_bytes ? before : sf->held_bytes);
    }
    if (sf->held_bytes)
        held_place(sf, sf->held_bytes, linear_dsn(&c->in, c->rcv_nxt, receive_wanted(sf)));
}

void receive_free_subflow(struct subflow *sf)
{
    receive_distrust(sf);
    list_each(p, &sf->held, struct recv_piece, link)
        held_free(sf, p);
    sf->held_bytes = 0;
    if (sf->conn->last_recv == sf)
        sf->conn->last_recv = NULL;
}
