/* SPDX-License-Identifier: MIT
 *
 * Reinjection: bytes that were sent on a subflow that stalls or ends are
 * queued to be carried again by another (RFC 8684 3.3.6). The original
 * subflow still retransmits them, as the RFC asks; whichever arrives first
 * counts. Ranges are kept in DSN order and never reach below snd_una.
 */
#include "mptcp/conn.h"

/* A subflow whose oldest bytes are this late, with more than so many segments
 * in flight (fewer may wait for a delayed ACK), is not trusted for now. */
enum { OVERDUE_MARGIN_US = 10 * 1000, OVERDUE_FLIGHT_MIN = 2, HEAD_MARGIN_US = 10 * 1000 };
enum { SECOND_US = 1000 * 1000 };
/* So many data-level timeouts before any DSS came: the peer is plain TCP. */
enum { DATA_RTO_PLAIN = 3 };
/* Probes that no DSS answers; then the subflow is of no use. */
enum { DATA_ASKS_MAX = 6 };

static void range_free(struct plait_conn *c, struct dsn_range *r)
{
    list_remove(&r->link);
    pool_put(&c->env->ranges, r);
}

/* Insert [dsn, dsn+len) in order; bytes that are queued already are left. */
static void reinject_add(struct plait_conn *c, uint64_t dsn, uint32_t len, uint32_t from_id)
{
    struct list *pos = &c->reinject;
    list_each(r, &c->reinject, struct dsn_range, link) {
        if (dsn_leq(r->dsn + r->len, dsn))
            continue;
        if (dsn_leq(r->dsn, dsn)) { /* the front of ours is there already */
            uint64_t skip = r->dsn + r->len - dsn;
            if (skip >= len)
                return;
            dsn += skip;
            len -= (uint32_t)skip;
            continue;
        }
        if (dsn_lt(r->dsn, dsn + len))
            len = (uint32_t)(r->dsn - dsn);
        pos = &r->link;
        break;
    }
    if (pos->prev != &c->reinject) {
        struct dsn_range *before = list_entry(pos->prev, struct dsn_range, link);
        if (before->dsn + before->len == dsn && before->from_id == from_id &&
            before->len + len >= len) {
            before->len += len;
            return;
        }
    }
    struct dsn_range *r = pool_get(&c->env->ranges);
    if (!r)
        return; /* the subflow's own retransmissions still carry them */
    *r = (struct dsn_range){.dsn = dsn, .len = len, .from_id = from_id};
    list_insert(pos, &r->link);
}

/* dsn lies in [start, stop): *end moves there; or start lies before *end. */
static bool range_meets(uint64_t dsn, uint64_t start, uint64_t stop, uint64_t *end)
{
    if (dsn_leq(start, dsn) && dsn_lt(dsn, stop)) {
        *end = stop;
        return true;
    }
    if (dsn_gt(start, dsn))
        *end = dsn_min(*end, start);
    return false;
}

bool reinject_range(const struct plait_conn *c, const struct subflow *sf,
                    const struct tcp_record *rec, uint64_t *dsn, uint32_t *len)
{
    uint32_t skip = tcp_ssn_out(&sf->tcp, rec->seq) - rec->map.ssn;
    uint64_t start = rec->map.dsn + skip, end = start + rec->len;
    if (dsn_leq(end, c->snd_una))
        return false;
    *dsn = dsn_max(start, c->snd_una);
    *len = (uint32_t)(end - *dsn);
    return true;
}

/* How far from dsn on a subflow has bytes under way: [dsn, *end) is if true,
 * else nothing before *end. *end is a bound on entry. */
static bool under_way(const struct plait_conn *c, uint64_t dsn, uint64_t *end)
{
    list_each(sf, &c->subflows, struct subflow, link) {
        if (!subflow_usable(sf))
            continue;
        list_each(rec, &sf->tcp.records, struct tcp_record, link) {
            uint64_t start;
            uint32_t len;
            if (reinject_range(c, sf, rec, &start, &len) &&
                range_meets(dsn, start, start + len, end))
                return true;
        }
    }
    return false;
}

/* The same, or the queue has them. */
static bool carried(const struct plait_conn *c, uint64_t dsn, uint64_t *end)
{
    *end = c->snd_nxt;
    list_each(r, &c->reinject, struct dsn_range, link) {
        if (range_meets(dsn, r->dsn, r->dsn + r->len, end))
            return true;
    }
    return under_way(c, dsn, end);
}

/* Bytes that a subflow acknowledged and the connection did not, and that no
 * subflow has under way: whoever acknowledged them did not keep them. */
static uint64_t reinject_orphans(struct plait_conn *c, uint64_t until)
{
    uint64_t total = 0, end;
    for (uint64_t dsn = c->snd_una; dsn_lt(dsn, until); dsn = end) {
        if (carried(c, dsn, &end))
            continue;
        for (uint64_t at = dsn; at != end;) {
            uint32_t len = end - at < UINT16_MAX ? (uint32_t)(end - at) : UINT16_MAX;
            reinject_add(c, at, len, 0);
            at += len;
        }
        total += end - dsn;
    }
    return total;
}

/* Another subflow that answers has all of [dsn, dsn + len) under way as well. */
static bool copied(const struct plait_conn *c, const struct subflow *sf, uint64_t dsn, uint32_t len)
{
    list_each(other, &c->subflows, struct subflow, link) {
        uint64_t at = dsn, end = dsn + len, start;
        uint32_t n;
        if (!c->bytes_copied || other == sf || !subflow_usable(other) || other->stale ||
            other->suspect)
            continue;
        list_each(rec, &other->tcp.records, struct tcp_record, link) {
            if (reinject_range(c, other, rec, &start, &n) &&
                range_meets(at, start, start + n, &end))
                at = end;
        }
        if (dsn_geq(at, dsn + len))
            return true;
    }
    return false;
}

/* The subflow ends because its peer could not place what it acknowledged. */
static bool not_kept(const struct subflow *sf)
{
    return sf->peer_lost || (sf->peer_told && sf->told.reason == RST_MIDDLEBOX) ||
           reset_says(sf->why).reason == RST_MIDDLEBOX;
}

void subflow_reinject(struct subflow *sf, enum plait_reason why)
{
    struct plait_conn *c = sf->conn;
    if (!c->multipath || c->state == CONN_CLOSED)
        return;
    bool over = sf->gone || sf->tcp.state == TCP_CLOSED;
    if (!over && subflow_alone(sf))
        return; /* nobody to take them: subflow_established asks again */
    uint64_t total = 0, first = 0;
    list_each(rec, &sf->tcp.records, struct tcp_record, link) {
        uint64_t dsn;
        uint32_t len;
        if ((rec->map.kind & MAP_MOVED) || !reinject_range(c, sf, rec, &dsn, &len) ||
            copied(c, sf, dsn, len))
            continue;
        rec->map.kind |= MAP_MOVED;
        reinject_add(c, dsn, len, sf->id);
        first = total ? first : dsn;
        total += len;
    }
    if (over && not_kept(sf))
        total += reinject_orphans(c, c->snd_nxt);
    if (total == 0)
        return;
    sf->bytes_reinjected_from += total;
    c->env->counters.MPTCPRetrans++;
    conn_event(c, sf, PLAIT_EV_REINJECTED, why, first, total, sf->id, 0);
    conn_touch(c);
}

static struct subflow *range_source(const struct plait_conn *c, const struct dsn_range *r)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->id == r->from_id && subflow_usable(sf))
            return sf;
    return NULL;
}

bool reinject_source_silent(const struct plait_conn *c)
{
    const struct subflow *sf = range_source(c, list_first(&c->reinject, struct dsn_range, link));
    return !sf || sf->stale || sf->suspect;
}

bool reinject_delivered(struct plait_conn *c)
{
    struct dsn_range *r = list_first(&c->reinject, struct dsn_range, link);
    const struct subflow *sf = range_source(c, r);
    uint64_t end = r->dsn + r->len, start;
    uint32_t len;
    if (!sf)
        return false;
    list_each(rec, &sf->tcp.records, struct tcp_record, link) {
        if (reinject_range(c, sf, rec, &start, &len) &&
            range_meets(r->dsn, start, start + len, &end))
            return false;
    }
    r->len -= (uint32_t)(end - r->dsn);
    r->dsn = end;
    if (r->len == 0)
        range_free(c, r);
    return true;
}

/* ---- silence --------------------------------------------------------------------- */

/* When the oldest bytes in flight for which the peer has to acknowledge at once
 * were sent. The first ones may wait for a delayed ACK, until others follow. */
static uint64_t oldest_sent_us(const struct tcp *t)
{
    uint64_t before = 0, most = OVERDUE_FLIGHT_MIN * (uint64_t)t->control.own->mss_bytes;
    list_each(rec, &t->sent_order, struct tcp_record, sent_link) {
        before += rec->len;
        if (before > most)
            return rec->sent_us;
    }
    return TIMER_NEVER;
}

/* When these should have been acknowledged by all experience, and nothing else
 * was for a while either (a queue that fills makes ACKs late, but they keep
 * coming). Much earlier than an RTO, whose minimum is meant for a sender that
 * has no other path to try. */
static uint64_t overdue_at(const struct subflow *sf)
{
    const struct tcp *t = &sf->tcp;
    if (sf->suspect || !subflow_usable(sf) || t->rtt.srtt_us == 0)
        return TIMER_NEVER;
    uint64_t oldest = oldest_sent_us(t);
    if (oldest == TIMER_NEVER)
        return oldest;
    uint64_t margin = 4 * (uint64_t)t->rtt.mdev_us;
    margin = margin > t->rtt.srtt_us / 4 ? margin : t->rtt.srtt_us / 4;
    margin = margin > OVERDUE_MARGIN_US ? margin : OVERDUE_MARGIN_US;
    uint64_t late = oldest + t->rtt.srtt_us, quiet = sf->progress_us;
    return (late > quiet ? late : quiet) + margin;
}

uint64_t reinject_overdue_deadline(const struct plait_conn *c)
{
    uint64_t at = TIMER_NEVER;
    if (c->subflow_count < 2 || !c->multipath || c->state != CONN_ESTABLISHED)
        return at;
    list_each(sf, &c->subflows, struct subflow, link) {
        uint64_t overdue = overdue_at(sf);
        at = overdue < at ? overdue : at;
    }
    return at;
}

void reinject_overdue_tick(struct plait_conn *c, uint64_t now_us)
{
    if (c->subflow_count < 2 || !c->multipath || c->state != CONN_ESTABLISHED)
        return;
    list_each(sf, &c->subflows, struct subflow, link) {
        if (overdue_at(sf) > now_us)
            continue;
        sf->suspect = true;
        subflow_reinject(sf, PLAIT_WHY_SILENCE);
    }
}

/* ---- opportunistic: a faster path is free -------------------------------------- */

/* The usable subflow with room that answers soonest. */
static struct subflow *path_taker(const struct plait_conn *c, uint64_t now_us)
{
    struct subflow *best = NULL;
    list_each(sf, &c->subflows, struct subflow, link) {
        if (!subflow_usable(sf) || sf->stale || sf->suspect || sf->tcp.rtt.srtt_us == 0 ||
            sf->backup_local || sf->backup_remote || sf->rest_end_us)
            continue;
        if ((!best || sf->tcp.rtt.srtt_us < best->tcp.rtt.srtt_us) && tcp_room(&sf->tcp, now_us))
            best = sf;
    }
    return best;
}

struct subflow *reinject_idler(const struct plait_conn *c, uint64_t now_us)
{
    struct subflow *sf = c->subflow_count > 1 ? path_taker(c, now_us) : NULL;
    if (!sf)
        return NULL;
    uint64_t busy = sf->tcp.rate.best * sf->tcp.rtt.base_us / SECOND_US;
    return sf->tcp.control.own->in_flight_bytes < busy || !busy ? sf : NULL;
}

static bool record_move(struct plait_conn *c, struct subflow *sf, struct tcp_record *rec,
                        uint64_t dsn, uint32_t len, enum plait_reason why)
{
    rec->map.kind |= MAP_MOVED;
    reinject_add(c, dsn, len, sf->id);
    sf->bytes_reinjected_from += len;
    conn_event(c, sf, PLAIT_EV_REINJECTED, why, dsn, len, sf->id, 0);
    return true;
}

/* The last bytes on sf that nobody else carries yet. */
static struct tcp_record *tail_record(const struct plait_conn *c, const struct subflow *sf,
                                      uint64_t *dsn, uint32_t *len)
{
    for (struct list *at = sf->tcp.records.prev; at != &sf->tcp.records; at = at->prev) {
        struct tcp_record *rec = list_entry(at, struct tcp_record, link);
        if (!(rec->map.kind & MAP_MOVED) && rec->sent_us && !rec->sacked)
            return reinject_range(c, sf, rec, dsn, len) ? rec : NULL;
    }
    return NULL;
}

/* When what sf carries there should have arrived, by all experience. One that is
 * lost waits for others to go again before it, and nobody knows how long. */
static uint64_t due_us(const struct subflow *sf, const struct tcp_record *rec)
{
    return rec->lost ? TIMER_NEVER : rec->sent_us + sf->tcp.rtt.srtt_us;
}

/* The round trip of what sf gets now: the queue that the smoothed one was
 * measured in may be gone. */
static uint64_t trip_us(const struct subflow *sf)
{
    const struct tcp *t = &sf->tcp;
    uint64_t through = t->control.own->in_flight_bytes * SECOND_US;
    through = t->rate.best ? through / t->rate.best : t->rtt.srtt_us;
    through = through > t->rtt.base_us ? through : t->rtt.base_us;
    return through < t->rtt.srtt_us ? through : t->rtt.srtt_us;
}

bool reinject_tail(struct plait_conn *c, uint64_t now_us)
{
    struct subflow *taker = c->subflow_count > 1 ? path_taker(c, now_us) : NULL;
    if (!taker)
        return false;
    uint64_t soonest = now_us + 3 * trip_us(taker) / 2;
    list_each(sf, &c->subflows, struct subflow, link) {
        uint64_t dsn;
        uint32_t len;
        struct tcp_record *rec = sf == taker ? NULL : tail_record(c, sf, &dsn, &len);
        if (!rec || due_us(sf, rec) <= soonest || copied(c, sf, dsn, len))
            continue;
        return record_move(c, sf, rec, dsn, len, PLAIT_WHY_TAIL);
    }
    return false;
}

/* By all experience it will be acknowledged by then. One that should have been
 * already is late, and nobody knows how much. */
static bool soon(const struct subflow *sf, const struct tcp_record *rec, uint64_t now_us,
                 uint64_t by_us)
{
    uint64_t due = due_us(sf, rec);
    return due <= by_us && now_us <= due + sf->tcp.rtt.mdev_us;
}

/* The record that holds up the window: its bytes start at snd_una. */
static struct tcp_record *head_record(const struct plait_conn *c, const struct subflow *sf,
                                      uint64_t *dsn, uint32_t *len)
{
    list_each(rec, &sf->tcp.records, struct tcp_record, link) {
        if ((rec->map.kind & MAP_MOVED) || !reinject_range(c, sf, rec, dsn, len))
            continue;
        return *dsn == c->snd_una ? rec : NULL;
    }
    return NULL;
}

bool reinject_head(struct plait_conn *c, uint64_t now_us)
{
    bool wanted = c->heuristics & PLAIT_OPPORTUNISTIC;
    struct subflow *taker = wanted ? reinject_idler(c, now_us) : NULL;
    if (!taker)
        return false;
    list_each(sf, &c->subflows, struct subflow, link) {
        uint64_t dsn;
        uint32_t len;
        struct tcp_record *rec = sf == taker ? NULL : head_record(c, sf, &dsn, &len);
        if (rec && !soon(sf, rec, now_us, now_us + trip_us(taker)) && !copied(c, sf, dsn, len))
            return record_move(c, sf, rec, dsn, len, PLAIT_WHY_WINDOW);
    }
    return false;
}

/* ---- data-level retransmission timer ---------------------------------------------- */

bool records_outstanding(const struct plait_conn *c)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (!sf->gone && !list_empty(&sf->tcp.records))
            return true;
    return false;
}

/* What is queued first is to go over another subflow than the one that had it,
 * and that one is the only one there is. */
static bool queue_stuck(const struct plait_conn *c)
{
    bool had = false;
    if (list_empty(&c->reinject))
        return false;
    uint32_t from = list_first(&c->reinject, struct dsn_range, link)->from_id;
    list_each(sf, &c->subflows, struct subflow, link) {
        if (!subflow_usable(sf))
            continue;
        if (sf->id != from)
            return false;
        had = true;
    }
    return had;
}

/* The byte that the peer waits for is not the first of any subflow: mostly it
 * is under way nowhere. */
static bool head_free(const struct plait_conn *c)
{
    list_each(sf, &c->subflows, struct subflow, link) {
        uint64_t dsn;
        uint32_t len;
        if (sf->gone || list_empty(&sf->tcp.records))
            continue;
        const struct tcp_record *first = list_first(&sf->tcp.records, struct tcp_record, link);
        if (reinject_range(c, sf, first, &dsn, &len) && dsn == c->snd_una)
            return false;
    }
    return list_empty(&c->reinject) || queue_stuck(c);
}

static bool data_ack_awaited(const struct plait_conn *c)
{
    if (c->plain_out || c->state != CONN_ESTABLISHED || !c->subflow_count)
        return false; /* also where only the peer's direction has fallen back */
    if (c->snd_una != c->snd_nxt)
        return head_free(c);
    return c->fin_sent && !c->fin_acked && !records_outstanding(c);
}

void reinject_arm(struct plait_conn *c, uint64_t now_us)
{
    if (!data_ack_awaited(c)) {
        c->data_rto_us = TIMER_NEVER;
        return;
    }
    if (c->data_rto_us != TIMER_NEVER)
        return;
    bool more = records_outstanding(c); /* which bring DATA_ACKs, but not this one */
    uint64_t rto = 0;
    list_each(sf, &c->subflows, struct subflow, link) {
        uint64_t wait =
            more ? 2 * (uint64_t)sf->tcp.rtt.srtt_us + HEAD_MARGIN_US : sf->tcp.rtt.rto_us;
        rto = wait > rto ? wait : rto;
    }
    rto <<= c->data_rto_count;
    c->data_rto_us = now_us + (rto < DATA_RTO_MAX_US ? rto : DATA_RTO_MAX_US);
}

/* Bytes that the peer waits for go again, on whichever subflow. */
static void resend(struct plait_conn *c, uint64_t end, uint32_t most)
{
    uint64_t len = end - c->snd_una < most ? end - c->snd_una : most;
    reinject_add(c, c->snd_una, (uint32_t)len, 0);
    c->env->counters.MPTCPRetrans++;
    conn_event(c, NULL, PLAIT_EV_REINJECTED, PLAIT_WHY_TIMEOUT, c->snd_una, len, 0, 0);
}

/* If that subflow has them no longer, because its peer acknowledged them and did
 * not keep them, they may go over it. */
static void unbind_head(struct plait_conn *c)
{
    if (!queue_stuck(c))
        return;
    struct dsn_range *r = list_first(&c->reinject, struct dsn_range, link);
    uint64_t end = r->dsn + r->len;
    if (r->dsn != c->snd_una || under_way(c, r->dsn, &end))
        return;
    uint32_t len = (uint32_t)(end - r->dsn);
    r->dsn += len;
    r->len -= len;
    if (r->len == 0)
        range_free(c, r);
}

/* What is under way will not bring the byte that the peer waits for: it was
 * acknowledged and not kept. One segment, since later bytes may be there. */
static void head_again(struct plait_conn *c)
{
    uint64_t end;
    if (carried(c, c->snd_una, &end))
        return;
    resend(c, end, window_mss(c));
    conn_touch(c);
}

/* On the only subflow there ever was, bytes that go again are doubled if the
 * peer has become plain TCP. A probe asks for an ACK first, which Multipath TCP
 * sends with a DATA_ACK (stripped.c looks). */
static bool asked(struct plait_conn *c, bool more, uint64_t now_us)
{
    struct subflow *sf = c->initial;
    if (c->branched || c->snd_una == c->snd_nxt || !sf || !subflow_usable(sf))
        return true;
    if (sf->dss_seen && sf->dss_una == sf->tcp.snd_una)
        return true; /* all that it acknowledged it did with a DSS */
    if (c->data_asks && sf->dss_us >= c->data_asked_us)
        return true;
    if (c->data_asks && more)
        return false; /* tcp's own timer is at work */
    if (c->data_asks == DATA_ASKS_MAX) {
        fallback_broken(sf, PLAIT_WHY_OPTIONS_STRIPPED);
        return false;
    }
    if (c->data_asks++ == 0)
        c->data_asked_us = now_us;
    tcp_want_probe(&sf->tcp);
    sf->quiet = false;
    conn_touch(c);
    return false;
}

void reinject_tick(struct plait_conn *c, uint64_t now_us)
{
    if (c->data_rto_us > now_us)
        return;
    c->data_rto_us = TIMER_NEVER;
    list_each(sf, &c->subflows, struct subflow, link) {
        if (sf->plain_us == TIMER_NEVER)
            continue;
        c->data_rto_us = sf->plain_us; /* until it is known whether the peer is plain TCP, */
        return;                        /* which would take the bytes twice */
    }
    bool more = records_outstanding(c);
    if (!more && c->data_rto_count < 8)
        c->data_rto_count++;
    if (c->data_rto_count >= DATA_RTO_PLAIN && stripped_always(c))
        return;
    if (!asked(c, more, now_us))
        return;
    unbind_head(c);
    if (more) {
        head_again(c);
        return;
    }
    if (c->snd_una != c->snd_nxt)
        resend(c, c->snd_nxt, UINT16_MAX);
    c->keys_again = c->client && !c->confirmed && c->initial;
    closing_fin_again(c);
    conn_touch(c);
}

void reinject_trim(struct plait_conn *c)
{
    list_each(r, &c->reinject, struct dsn_range, link) {
        if (dsn_leq(c->snd_una, r->dsn))
            break;
        uint64_t gone = c->snd_una - r->dsn;
        if (gone >= r->len) {
            range_free(c, r);
            continue;
        }
        r->dsn += gone;
        r->len -= (uint32_t)gone;
        break;
    }
}

void reinject_free(struct plait_conn *c)
{
    list_each(r, &c->reinject, struct dsn_range, link)
        range_free(c, r);
}
