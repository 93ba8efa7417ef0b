/* SPDX-License-Identifier: MIT
 *
 * From Multipath TCP to plain TCP (RFC 8684 3.7, RFC 6824 3.6), one direction
 * at a time: in version 1 the other follows at once, in version 0 it may stay.
 *
 * Plain TCP is the infinite mapping: each direction has one place in the
 * subflow's sequence space whose DSN is known, and everything behind it
 * follows. That holds while what is outstanding was bound to this subflow in
 * one run; both directions' runs are therefore followed from the start, on
 * whichever subflow.
 *
 *   receiver                                sender
 *   cannot trust or place what comes:
 *   holds it, asks:        MP_FAIL(dsn) ->  the run goes on as it is: infinite
 *                                           mapping from its start; or, where
 *                                           there is no run, or the receiver
 *                                           holds altered bytes (it asks again
 *                                           and DATA_ACKs just dsn): all again
 *                                           from dsn, behind what is under way
 *   places what it holds <-  infinite mapping
 *
 * A peer that does not hear options is told by a knock: a segment without
 * payload, with an old sequence number as a keepalive has, and with PSH, while
 * the receiver holds what it cannot place. PSH tells it from keepalives and
 * from probes of the window, which closes while bytes are held. Only a sender
 * whose bytes are one run knocks. Without an answer the subflow ends: nothing
 * is guessed.
 */
#include "mptcp/conn.h"

enum { ASKS_MAX = 5, KNOCKS_MAX = 5 };
enum { PATIENCE_MIN_US = 2000, PATIENCE_MAX_US = 100 * 1000, KNOCK_WAIT_MIN_US = 10 * 1000 };

/* ---- runs ------------------------------------------------------------------------ */

void fallback_bound(struct subflow *sf, uint64_t dsn, uint32_t ssn, uint32_t len)
{
    if (!sf->sent_any) {
        sf->sent_before = dsn - 1;
        sf->sent = (struct linear){dsn, ssn};
    } else if (dsn != sf->sent_end) {
        sf->sent_before = dsn_max(sf->sent_before, sf->sent_end);
        sf->sent = (struct linear){dsn, ssn};
    }
    sf->sent_any = true;
    sf->sent_end = dsn + len;
}

/* A byte of the run and its place on the subflow. */
static struct linear run_at(const struct subflow *sf, uint64_t dsn)
{
    return (struct linear){dsn, sf->sent.ssn + (uint32_t)(dsn - sf->sent.dsn)};
}

/* What the peer waits for is in the run, and what came before it is not. */
static bool run_reaches(const struct subflow *sf)
{
    const struct plait_conn *c = sf->conn;
    return sf->sent_any && sf->sent_end == c->snd_nxt && dsn_leq(sf->sent.dsn, c->snd_una) &&
           dsn_leq(sf->sent_before, c->snd_una);
}

bool fallback_out_contiguous(const struct subflow *sf)
{
    return sf->conn->snd_una == sf->conn->snd_nxt || run_reaches(sf);
}

/* What the peer may hold begins where its stream ends, and goes on in our
 * order: it has had bytes that this subflow carried only in the run, so what
 * was repeated before them lies behind it. Whether others brought bytes the
 * peer sees itself. */
static bool run_tells(const struct subflow *sf)
{
    const struct plait_conn *c = sf->conn;
    if (!sf->sent_any)
        return c->snd_una == c->snd_nxt;
    return run_reaches(sf) && dsn_gt(c->snd_una, sf->sent_before);
}

bool fallback_in_contiguous(const struct subflow *sf)
{
    const struct plait_conn *c = sf->conn;
    if (!list_empty(&c->ooo_queue))
        return false;
    if (!sf->recv_any) /* its first byte is known on the first subflow only */
        return sf->kind == SUBFLOW_INITIAL && conn_recv_next(c) == c->remote_idsn + 1;
    return sf->recv_end == conn_recv_next(c);
}

uint64_t fallback_patience(const struct subflow *sf)
{
    uint64_t us = sf->tcp.rtt.srtt_us / 8;
    return us < PATIENCE_MIN_US ? PATIENCE_MIN_US : us > PATIENCE_MAX_US ? PATIENCE_MAX_US : us;
}

/* ---- the change ------------------------------------------------------------------ */

/* Bytes came that are not the peer's. */
static bool altered(enum plait_reason why)
{
    return why == PLAIT_WHY_CHECKSUM_FAILED || why == PLAIT_WHY_LENGTH_CHANGED;
}

static void count_fallback(struct plait_conn *c, enum plait_reason why)
{
    struct plait_counters *n = &c->env->counters;
    if (altered(why))
        n->DSSCorruptionFallback++;
    else if (why == PLAIT_WHY_OPTIONS_STRIPPED || why == PLAIT_WHY_UNMAPPED_DATA ||
             why == PLAIT_WHY_FIRST_ACK_PLAIN || why == PLAIT_WHY_FIRST_ACK_WRONG)
        n->DssFallback++;
}

/* The subflow ends because bytes on it cannot be placed; what is on it goes
 * over others, or over one to come. */
static void subflow_broken(struct subflow *sf, uint64_t dsn, enum plait_reason why)
{
    struct plait_conn *c = sf->conn;
    *(altered(why) ? &c->env->counters.DSSCorruptionReset : &c->env->counters.DssReset) += 1;
    sf->fail_set = true;
    sf->fail_dsn = dsn;
    subflow_reset(sf, why);
    if (!c->multipath)
        conn_fail(c, PLAIT_E_PROTOCOL, why);
}

void fallback_broken(struct subflow *sf, enum plait_reason why)
{
    subflow_broken(sf, conn_recv_next(sf->conn), why);
}

/* No more Multipath TCP; which direction is plain already is said elsewhere. */
static void fall(struct subflow *sf, enum plait_reason why)
{
    struct plait_conn *c = sf->conn;
    c->plain = sf;
    if (!c->multipath)
        return;
    conn_uncount(c);
    c->multipath = false;
    c->fallback_why = why;
    count_fallback(c, why);
    conn_event(c, sf, PLAIT_EV_CONN_FALLBACK, why, 0, 0, 0, 0);
    list_each(other, &c->subflows, struct subflow, link)
        if (other != sf)
            subflow_reset(other, why);
    reinject_free(c);
    conn_touch(c);
}

/* Bytes in are where m says. A FIN ends the stream from now on; a DATA_FIN
 * that got through counts. */
static void in_begin(struct subflow *sf, struct linear m)
{
    struct plait_conn *c = sf->conn;
    uint32_t edge = tcp_ssn_in(&sf->tcp, sf->tcp.rcv_adv);
    c->plain_in = true;
    c->in = m;
    c->rcv_edge = dsn_max(c->rcv_edge, linear_dsn(&c->in, c->rcv_nxt, edge));
    c->awake->falling.why = PLAIT_WHY_NONE;
    c->awake->falling.fails_left = 0;
    c->awake->falling.ask_us = TIMER_NEVER;
    sf->unmapped_us = TIMER_NEVER;
    if (!c->fin_received)
        c->fin_known = false;
    receive_unmapped(sf);
    /* Its FIN may have come when it still was the subflow's own affair. */
    if (tcp_peer_finished(&sf->tcp) && tcp_ssn_in(&sf->tcp, sf->tcp.rcv_nxt) == sf->taken_ssn + 1)
        receive_data_fin(c, c->rcv_nxt);
    tcp_want_ack(&sf->tcp);
}

void fallback_in_on(struct subflow *sf)
{
    in_begin(sf, (struct linear){conn_recv_next(sf->conn), receive_wanted(sf)});
}

static void out_begin(struct subflow *sf, struct linear m)
{
    struct plait_conn *c = sf->conn;
    c->plain_out = true;
    c->out = m;
    c->awake->falling.deciding = false;
    c->awake->falling.decide_us = TIMER_NEVER;
    if (!c->fin_acked)
        c->fin_sent = c->fin_bound = false;
    sf->fin_pending = false;
    sf->plain_us = TIMER_NEVER;
    conn_touch(c);
}

static void out_goes_on(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    c->awake->falling.tells = run_tells(sf); /* of what is DATA_ACKed: from now on ACKs count */
    if (c->snd_una == c->snd_nxt)
        out_begin(sf, (struct linear){c->snd_nxt, tcp_next_ssn(&sf->tcp)});
    else
        out_begin(sf, run_at(sf, c->snd_una));
    fallback_acked(sf);
}

/* `knock`: on segments of its own too, and where it was sent once and in order
 * as a sign that needs no option. */
static void announce(struct subflow *sf, bool knock)
{
    struct plait_conn *c = sf->conn;
    struct fallback *f = &c->awake->falling;
    if (!c->key_known || !tcp_can_send(&sf->tcp))
        return;
    f->sf = sf;
    f->announce = true;
    f->announce_ssn = tcp_next_ssn(&sf->tcp);
    f->knock = knock;
    f->mark = knock && f->tells;
    f->knocks = 0;
    f->knock_us = TIMER_NEVER;
    if (knock)
        tcp_want_probe(&sf->tcp);
    sf->quiet = false;
}

void conn_fallback(struct subflow *sf, enum plait_reason why)
{
    struct plait_conn *c = sf->conn;
    if (!c->multipath)
        return;
    fall(sf, why);
    c->in_assumed = true;
    fallback_in_on(sf);
    out_goes_on(sf);
    announce(sf, false);
}

void fallback_out(struct subflow *sf, enum plait_reason why)
{
    fall(sf, why);
    out_goes_on(sf);
    announce(sf, true);
}

uint64_t fallback_acked(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    const struct tcp *t = &sf->tcp;
    uint32_t ssn = tcp_ssn_out(t, t->snd_una);
    if (ssn == 0)
        ssn = 1; /* our SYN is not acknowledged yet */
    uint64_t dsn = linear_dsn(&c->out, c->snd_una, ssn);
    dsn = dsn_min(dsn, c->snd_nxt); /* the FIN is not data */
    conn_acked(c, dsn);
    if (c->awake->falling.announce && seq_gt(ssn, c->awake->falling.announce_ssn))
        c->awake->falling.announce = false;
    return dsn;
}

/* ---- asking ---------------------------------------------------------------------- */

void fallback_ask(struct subflow *sf, uint64_t dsn, enum plait_reason why)
{
    struct plait_conn *c = sf->conn;
    struct fallback *f = &c->awake->falling;
    if (f->why || c->plain_in)
        return;
    if (!subflow_alone(sf)) {
        subflow_broken(sf, dsn, why);
        return;
    }
    f->sf = sf;
    f->why = why;
    f->fail_dsn = dsn;
    /* Twice where the bytes are altered: please send them again. */
    f->fails_left = why == PLAIT_WHY_CHECKSUM_FAILED ? 2 : 1;
    f->fails_sent = 0;
    f->ask_us = TIMER_NEVER;
    f->run_known = f->jumped = false;
    receive_distrust(sf);
    conn_touch(c);
}

static void ask_due(struct plait_conn *c)
{
    struct fallback *f = &c->awake->falling;
    f->ask_us = TIMER_NEVER;
    if (f->answered && !f->jumped && fallback_in_contiguous(f->sf)) {
        fall(f->sf, f->why);
        c->in_assumed = true;
        fallback_in_on(f->sf);
    } else if (f->answered || f->fails_sent >= ASKS_MAX) {
        c->env->counters.FallbackFailed++;
        subflow_broken(f->sf, f->fail_dsn, f->why);
    } else {
        f->fails_left = 1;
        f->sf->quiet = false;
    }
}

/* ---- our direction follows ------------------------------------------------------- */

/* Send all again from the byte that the peer waits for. */
static void out_again(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    c->snd_nxt = c->snd_una;
    c->awake->falling.tells = false;
    sf->sent_any = false;
    out_begin(sf, (struct linear){c->snd_una, tcp_next_ssn(&sf->tcp)});
    announce(sf, true);
}

static void out_run(struct subflow *sf, bool knock)
{
    out_goes_on(sf);
    announce(sf, knock);
}

/* `last`: a second MP_FAIL would have come by now. */
static void decide(struct subflow *sf, bool last)
{
    struct plait_conn *c = sf->conn;
    struct fallback *f = &c->awake->falling;
    bool again = f->peer_holds > 1 && c->snd_una == f->peer_fail_dsn;
    if (again || !fallback_out_contiguous(sf)) {
        out_again(sf);
    } else if (last || f->peer_holds == 0) {
        out_run(sf, true);
    } else if (f->decide_us == TIMER_NEVER) {
        f->deciding = true;
        f->decide_us = c->env->now_us + 2 * fallback_patience(sf);
    }
}

static void follow(struct subflow *sf, bool knock)
{
    if (sf->conn->plain_out)
        return;
    if (fallback_out_contiguous(sf))
        out_run(sf, knock);
    else
        out_again(sf);
}

/* ---- the peer's answer ----------------------------------------------------------- */

/* What a peer sends again comes behind what is under way. */
static void answer_wait(struct subflow *sf)
{
    sf->conn->awake->falling.ask_us = sf->conn->env->now_us + 4 * (uint64_t)sf->tcp.rtt.rto_us;
}

void fallback_data_in(struct subflow *sf)
{
    if (sf->conn->awake->falling.answered && fallback_asking(sf))
        answer_wait(sf);
}

/* What we took for granted is said, or another thing. */
static void infinite_check(struct subflow *sf, const struct linear *m)
{
    struct plait_conn *c = sf->conn;
    if (c->in_assumed && (uint32_t)m->dsn - m->ssn != (uint32_t)c->in.dsn - c->in.ssn)
        subflow_broken(sf, conn_recv_next(c), PLAIT_WHY_BAD_MAPPING);
    c->in_assumed = c->in_acked = false;
}

/* A peer that goes back among its bytes while it is asked sends no infinite
 * mapping of all that it sent: nothing can be taken for granted. */
static void run_seen(struct fallback *f, const struct mptcp_dss *d)
{
    uint32_t off = (uint32_t)d->dsn - d->ssn;
    f->jumped |= f->run_known && off != f->run_off;
    f->run_known = true;
    f->run_off = off;
}

void fallback_distrusted(struct subflow *sf, const struct segment *seg)
{
    const struct mptcp_dss *d = &seg->mptcp.dss;
    uint32_t off = tcp_ssn_in(&sf->tcp, seg->seq) - d->ssn, len = d->data_len - d->data_fin;
    if (!seg->payload_len)
        return;
    run_seen(&sf->conn->awake->falling, d);
    bool aligned = off == 0 || off + seg->payload_len == len; /* cut or joined since */
    bool touches = seq_lt(off, seg->payload_len) && seq_gt(off + seg->payload_len, 0);
    if (!aligned && !(touches && seg->payload_len == len))
        return;
    sf->shift_known = true;
    sf->shift = aligned ? 0 : off;
}

/* All again, for bytes were altered: what was held is void. Where it begins
 * here is another number than there if lengths were changed: by how much, the
 * mappings that came since then tell; if none came this is the next byte. */
static bool in_again(const struct subflow *sf, const struct segment *seg, uint64_t dsn,
                     struct linear *begin)
{
    begin->dsn = dsn;
    begin->ssn = sf->shift_known ? seg->mptcp.dss.ssn + sf->shift : sf->taken_ssn;
    return sf->shift_known || (seg->payload_len && tcp_ssn_in(&sf->tcp, seg->seq) == sf->taken_ssn);
}

void fallback_infinite_in(struct subflow *sf, const struct segment *seg, uint64_t dsn)
{
    struct plait_conn *c = sf->conn;
    struct fallback *f = &c->awake->falling;
    const struct linear m = {dsn, seg->mptcp.dss.ssn};
    uint32_t wanted = receive_wanted(sf);
    uint64_t next = conn_recv_next(c), here = linear_dsn(&m, next, wanted);
    c->env->counters.InfiniteMapRx++;
    if (c->plain_in) {
        infinite_check(sf, &m);
        return;
    }
    if (!subflow_alone(sf)) {
        subflow_broken(sf, next, PLAIT_WHY_INFINITE_MAPPING);
        return;
    }
    bool again = altered(f->why) && dsn_leq(dsn, next) && seq_gt(m.ssn, wanted) && here != next;
    struct linear begin = {here, wanted};
    if (again && !in_again(sf, seg, dsn, &begin))
        return;
    if (!again && dsn_gt(here, next)) {
        c->env->counters.DSSNotMatching++;
        subflow_broken(sf, next, PLAIT_WHY_BAD_MAPPING);
        return;
    }
    /* Asked for, it is this direction's alone in version 0. */
    bool both = c->version >= 1 || !f->why;
    fall(sf, f->why ? f->why : PLAIT_WHY_INFINITE_MAPPING);
    in_begin(sf, begin);
    if (both)
        follow(sf, false);
}

void fallback_knock_in(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    struct fallback *f = &c->awake->falling;
    bool asked = fallback_asking(sf) && f->why != PLAIT_WHY_CHECKSUM_FAILED;
    bool waits = sf->held_bytes && list_empty(&sf->mappings) && f->why == PLAIT_WHY_NONE;
    bool fallen = c->plain_out && f->why == PLAIT_WHY_NONE;
    if (c->plain_in || !(asked || waits || fallen) || !subflow_alone(sf) ||
        !fallback_in_contiguous(sf))
        return;
    fall(sf, asked ? f->why : PLAIT_WHY_UNMAPPED_DATA);
    c->in_assumed = true;
    fallback_in_on(sf);
    follow(sf, true);
}

void fallback_fin_in(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    if (fallback_asking(sf) && !c->plain_in)
        return; /* a peer that sent bytes again ends with a FIN too: the answer says */
    if (!c->plain_in && fallback_in_contiguous(sf))
        fallback_in_on(sf);
    if (c->plain_in)
        receive_data_fin(c, c->rcv_nxt);
    else if (!c->fin_received) /* what came before it has no place */
        conn_fail(c, PLAIT_E_PROTOCOL, c->fallback_why);
}

/* A peer that still sends DATA_ACKs will send again what is not DATA_ACKed, and
 * its bytes would then be taken twice. MP_FAIL makes it follow; until it does,
 * it gets its DATA_ACKs. */
void fallback_unheard(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    struct fallback *f = &c->awake->falling;
    uint64_t now_us = c->env->now_us;
    if (!c->in_assumed)
        return;
    c->in_acked = true;
    if (f->peer_failed || f->tells_sent >= ASKS_MAX || now_us < f->tell_us)
        return;
    f->sf = sf;
    f->fail_dsn = conn_recv_next(c);
    f->fails_left = 1;
    f->tells_sent++;
    f->tell_us = now_us + sf->tcp.rtt.rto_us;
    sf->quiet = false;
}

/* ---- being asked ------------------------------------------------------------------ */

/* In version 1 MP_FAIL is answered with MP_FAIL and both directions end; in
 * version 0 ours does, whose bytes the peer complained of. */
static void fail_first(struct subflow *sf, uint64_t dsn)
{
    struct plait_conn *c = sf->conn;
    struct fallback *f = &c->awake->falling;
    fall(sf, f->why ? f->why : PLAIT_WHY_MP_FAIL);
    f->sf = sf;
    f->peer_failed = true;
    f->peer_fail_dsn = dsn;
    f->decide_us = TIMER_NEVER;
    if (f->why) {
        f->answered = true;
    } else if (c->version >= 1) {
        f->fail_dsn = conn_recv_next(c);
        f->fails_left = 1;
        sf->quiet = false;
    }
}

void fallback_fail_in(struct subflow *sf, const struct segment *seg)
{
    struct plait_conn *c = sf->conn;
    struct fallback *f = &c->awake->falling;
    const struct mptcp_dss *d = &seg->mptcp.dss;
    uint64_t dsn = seg->mptcp.fail_dsn;
    if (dsn_gt(dsn, c->snd_nxt))
        return; /* it never had that */
    if (!subflow_alone(sf)) {
        subflow_reset(sf, PLAIT_WHY_MP_FAIL);
        return;
    }
    if (f->why && !f->answered)
        answer_wait(sf);
    if (f->why)
        f->answered = true;
    if (c->plain_out) { /* it has not heard yet */
        announce(sf, true);
        return;
    }
    if (!f->peer_failed)
        fail_first(sf, dsn);
    bool acks = (seg->mptcp.present & MPO_DSS) && d->has_ack &&
                (uint32_t)d->data_ack == (uint32_t)dsn && c->checksum;
    if (dsn != f->peer_fail_dsn)
        f->peer_holds = 0; /* it takes the bytes all the same */
    else if (acks && f->peer_holds < UINT8_MAX)
        f->peer_holds++;
    decide(sf, false);
}

/* ---- options and time -------------------------------------------------------------- */

void fallback_infinite_out(const struct plait_conn *c, struct mptcp_options *o)
{
    bool beside_fail = (o->present & MPO_FAIL) != 0; /* room for the short form, no more */
    o->present |= MPO_DSS;
    o->dss = (struct mptcp_dss){.has_ack = !c->plain_in && !beside_fail,
                                .data_ack = c->rcv_nxt,
                                .has_map = true,
                                .dsn64 = c->dsn64 && !beside_fail,
                                .dsn = c->out.dsn,
                                .ssn = c->out.ssn,
                                .has_checksum = c->checksum};
}

bool fallback_knocks(const struct subflow *sf)
{
    const struct fallback *f = &sf->conn->awake->falling;
    return f->sf == sf && f->announce && f->mark;
}

bool fallback_options_out(const struct subflow *sf, bool knock, unsigned room,
                          struct mptcp_options *o)
{
    const struct plait_conn *c = sf->conn;
    const struct fallback *f = &c->awake->falling;
    if (f->sf != sf)
        return false;
    bool again = f->why == PLAIT_WHY_CHECKSUM_FAILED && !c->plain_in;
    if (f->fails_left || again) {
        o->present |= MPO_FAIL;
        o->fail_dsn = f->fail_dsn;
    }
    if (f->announce && knock) {
        fallback_infinite_out(c, o);
    } else if (again) {
        o->present |= MPO_DSS;
        o->dss =
            (struct mptcp_dss){.has_ack = true, .ack64 = c->peer_dsn64, .data_ack = c->rcv_nxt};
    }
    if (mptcp_options_len(o) > room) /* MP_FAIL beside long numbers: another time */
        o->present &= ~(uint32_t)MPO_DSS;
    return o->present & (MPO_FAIL | MPO_DSS);
}

/* A knock costs nothing, and a lost one the peer's time. */
static uint64_t knock_wait(const struct subflow *sf)
{
    return sf->tcp.rtt.srtt_us > KNOCK_WAIT_MIN_US ? sf->tcp.rtt.srtt_us : KNOCK_WAIT_MIN_US;
}

void fallback_sent(struct subflow *sf, const struct tcp_plan *plan, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    struct fallback *f = &c->awake->falling;
    const struct mptcp_options *o = &plan->seg.mptcp;
    uint64_t rto = sf->tcp.rtt.rto_us;
    if (o->present & MPO_FAIL)
        c->env->counters.MPFailTx++;
    if ((o->present & MPO_DSS) && o->dss.has_map && o->dss.data_len == 0)
        c->env->counters.InfiniteMapTx++;
    if (f->sf != sf)
        return;
    if ((o->present & MPO_FAIL) && f->fails_left && --f->fails_left == 0 && f->why &&
        !f->answered) {
        f->ask_us = now_us + (rto << f->fails_sent);
        f->fails_sent++;
    }
    if (plan->kind == TCP_PLAN_PROBE && f->knock && f->knocks < KNOCKS_MAX)
        f->knock_us = now_us + (knock_wait(sf) << f->knocks++);
}

void fallback_tick(struct plait_conn *c, uint64_t now_us)
{
    struct fallback *f = &c->awake->falling;
    if (!f->sf)
        return;
    if (f->ask_us <= now_us)
        ask_due(c);
    if (f->decide_us <= now_us) {
        f->decide_us = TIMER_NEVER;
        decide(f->sf, true);
    }
    if (f->knock_us <= now_us) {
        f->knock_us = TIMER_NEVER;
        f->knock = f->announce && f->knocks < KNOCKS_MAX;
        if (f->knock)
            tcp_want_probe(&f->sf->tcp);
    }
}

uint64_t fallback_deadline(const struct plait_conn *c)
{
    const struct fallback *f = &c->awake->falling;
    uint64_t at = f->ask_us < f->decide_us ? f->ask_us : f->decide_us;
    return f->knock_us < at ? f->knock_us : at;
}

void fallback_forget(struct plait_conn *c)
{
    c->awake->falling =
        (struct fallback){.ask_us = TIMER_NEVER, .decide_us = TIMER_NEVER, .knock_us = TIMER_NEVER};
}
